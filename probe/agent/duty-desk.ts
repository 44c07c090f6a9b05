import type { AgentToGuard, HeldResource } from '../../schema/ipc.ts'
import { duties, type Known } from '../core/duties.ts'

/** Derives the duties anew, and tells RHS and guard only what differs from what they were told. */
export class DutyDesk {
  readonly #toGuard: (frame: AgentToGuard) => void
  /** What RHS was told last, by GUID. */
  readonly #told = new Map<string, string>()
  /** Groups that the guard was asked to stop, by epoch. */
  readonly #stopping = new Map<string, number>()

  constructor(toGuard: (frame: AgentToGuard) => void) {
    this.#toGuard = toGuard
  }

  /** Whether the guard still owes an answer. */
  get waits(): boolean {
    return this.#stopping.size > 0
  }

  act(known: Known): void {
    const { hold, stop } = duties(known)
    const news: HeldResource[] = []
    for (const held of hold) {
      const { hiveSeq: _, ...rest } = held
      const text = JSON.stringify(rest)
      if (this.#told.get(held.guid) === text) continue
      this.#told.set(held.guid, text)
      news.push(held)
    }
    if (news.length > 0) this.#toGuard({ t: 'toRhs', frame: { t: 'hold', resources: news } })
    const kept = new Set(hold.map((h) => h.guid))
    const gone = [...this.#told.keys()].filter((guid) => !kept.has(guid))
    for (const guid of gone) this.#told.delete(guid)
    if (gone.length > 0) this.#toGuard({ t: 'toRhs', frame: { t: 'drop', guids: gone } })
    for (const group of stop) {
      if (this.#stopping.get(group.groupId) === group.epoch) continue
      this.#stopping.set(group.groupId, group.epoch)
      this.#toGuard({ t: 'stopGroup', ...group })
    }
  }

  stopped(groupId: string): void {
    this.#stopping.delete(groupId)
  }

  /** A new RHS knows nothing. */
  rhsRestarted(): void {
    this.#told.clear()
  }

  /** A lapse: everything is void. */
  clear(): void {
    this.#told.clear()
    this.#stopping.clear()
  }
}
