/**
 * Carries out what a record says has to be undone (G5): by the guard itself, again and again until it
 * is seen to be gone. Whoever set it up is dead by then, so nothing can set it up again.
 */
import { join } from 'node:path'
import type { Undo } from '../../../schema/undo.ts'
import type { KillHandles } from '../cgroup.ts'
import type { Launchers } from '../launchers.ts'
import { Addresses } from './addresses.ts'
import { runCommand } from './command.ts'
import { unmount } from './mounts.ts'
import { endUnit } from './units.ts'

export class Undoer {
  readonly #addresses = new Addresses()
  readonly #launchers: Launchers
  readonly #handles: KillHandles
  readonly #folder: string
  readonly #residualMs: () => number

  /**
   * @param folder of the logs of workloads
   * @param residualMs T_x: how late a start may still come to life that has passed its mark (A7)
   */
  constructor(
    launchers: Launchers,
    handles: KillHandles,
    folder: string,
    residualMs: () => number,
  ) {
    this.#residualMs = residualMs
    this.#launchers = launchers
    this.#handles = handles
    this.#folder = folder
  }

  /** @returns whether nothing of it is left. What could not be looked at is left (G5). */
  async undo(resourceId: string, undo: Undo): Promise<boolean> {
    try {
      switch (undo.kind) {
        case 'address':
          return await this.#addresses.remove(undo)
        case 'mount':
          return await unmount(undo.target)
        case 'unit':
          return await endUnit(undo, this.#residualMs())
        case 'command':
          return await runCommand(undo, {
            launchers: this.#launchers,
            handles: this.#handles,
            log: join(this.#folder, `${resourceId}.log`),
          })
      }
    } catch {
      return false
    }
  }
}
