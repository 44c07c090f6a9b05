/**
 * What is made of the sources once, and taken by every process of a run: a suite has sixty that need the same
 * bundles. Its folder is that run's own, named by HOLDFAST_MADE; without one each process makes its own.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const MADE = 'HOLDFAST_MADE'

/** @param name of what is made, the same for the same sources */
export async function madeOnce(name: string, make: () => Promise<string>): Promise<string> {
  const folder = process.env[MADE]
  if (folder === undefined) return make()
  const path = join(folder, name.replaceAll('/', '_'))
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const text = await make()
  // Whole at once: others look for it at the same time.
  writeFileSync(`${path}.${process.pid}`, text)
  renameSync(`${path}.${process.pid}`, path)
  return text
}

/** For the processes that are started with this environment. */
export const madeIn = (folder: string): Record<string, string> => ({ [MADE]: folder })
