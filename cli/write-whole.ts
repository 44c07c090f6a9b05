import { renameSync, writeFileSync } from 'node:fs'
import { HoldfastError } from '../schema/errors.ts'
import { fromRoot, type Surroundings } from './surroundings.ts'

/**
 * A file that only its owner reads. One that is there already stays until this one is whole.
 *
 * @throws {HoldfastError} BAD_REQUEST
 */
export function writeWhole(around: Surroundings, file: string, text: string): void {
  const path = fromRoot(around, file)
  try {
    writeFileSync(`${path}.part`, text, { mode: 0o600 })
    renameSync(`${path}.part`, path)
  } catch (error) {
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `${file} cannot be written: ${(error as Error).message}`,
      remedy: 'Name another place: --out FILE',
    })
  }
}
