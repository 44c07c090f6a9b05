import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { HoldfastError } from '../schema/errors.ts'
import { fromRoot, type Surroundings } from './surroundings.ts'

/** What a file is called in what is said of it; `-` is standard input. */
export const fileName = (path: string): string => (path === '-' ? 'standard input' : path)

/** @throws {HoldfastError} BAD_REQUEST: it cannot be read, and `remedy` says where one comes from */
export async function readText(
  around: Surroundings,
  path: string,
  remedy: string,
): Promise<string> {
  if (path === '-') return text(around.stdin)
  try {
    return readFileSync(fromRoot(around, path), 'utf8')
  } catch (error) {
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `${path} cannot be read: ${(error as Error).message}`,
      remedy,
    })
  }
}
