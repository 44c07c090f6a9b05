/**
 * What has to be undone, a second time and in another folder than the guard's own file: kill groups
 * are found again by their names whatever is lost, but an address or a mount is nobody's.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { guid } from '../../../schema/ids.ts'
import { type Undo, undo } from '../../../schema/undo.ts'
import { bootId } from '../../clock.ts'

const note = z.strictObject({ boot: z.string(), resourceId: guid, undo })

export interface Noted {
  readonly resourceId: string
  readonly undo: Undo
}

export class UndoNotes {
  readonly #folder: string
  readonly #boot: string

  constructor(folder: string, boot = bootId()) {
    this.#folder = folder
    this.#boot = boot
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  /** Before anything starts. @throws {Error} it cannot be written: then nothing may start */
  write(resourceId: string, what: Undo): void {
    const path = this.#pathOf(resourceId)
    const text = JSON.stringify({ boot: this.#boot, resourceId, undo: what })
    writeFileSync(`${path}.new`, text, { mode: 0o600 })
    renameSync(`${path}.new`, path)
  }

  /** Once it is undone. One that stays is undone once more by the next guard, which harms nobody. */
  remove(resourceId: string): void {
    try {
      rmSync(this.#pathOf(resourceId), { force: true })
    } catch {
      // As above.
    }
  }

  /** Notes of this boot. What an earlier boot has set up has ended with it. */
  all(): Noted[] {
    return readdirSync(this.#folder).flatMap((name) => {
      const path = join(this.#folder, name)
      const found = readNote(path)
      if (found?.boot === this.#boot) return [found]
      rmSync(path, { force: true })
      return []
    })
  }

  #pathOf(resourceId: string): string {
    return join(this.#folder, `${resourceId}.json`)
  }
}

/** One that was not written to its end is of a start that never was. */
function readNote(path: string): z.infer<typeof note> | null {
  try {
    return note.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return null
  }
}
