import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type ModulePin, modulePins } from '../../schema/module-pins.ts'

/** Module files and their pins. Whoever may write here decides what runs as root. */
export const modulesFolder = (stateFolder: string): string => join(stateFolder, 'modules')
export const pinsFile = (stateFolder: string): string =>
  join(modulesFolder(stateFolder), 'pins.json')

/** @throws {Error} they cannot be read, are no pins, or others may write them; none is no error */
export function readPins(stateFolder: string): readonly ModulePin[] {
  const file = pinsFile(stateFolder)
  try {
    if ((statSync(file).mode & 0o022) !== 0)
      throw new Error(`${file} can be written by others than its owner`)
    return modulePins.parse(JSON.parse(readFileSync(file, 'utf8'))).pins
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
