/** What RHS holds, found by GUID, by the check that asks about it, and by when it needs to be looked at. */
import { DueTimes } from './due-times.ts'
import type { Run } from './rhs-state.ts'

export class Runs {
  readonly #byGuid = new Map<string, Run>()
  readonly #due = new DueTimes()
  /** S-27: one check asks about all of a group and type. */
  readonly #members = new Map<string, Set<string>>()

  get size(): number {
    return this.#byGuid.size
  }

  has(guid: string): boolean {
    return this.#byGuid.has(guid)
  }

  get(guid: string): Run | undefined {
    return this.#byGuid.get(guid)
  }

  values(): MapIterator<Run> {
    return this.#byGuid.values()
  }

  /** In the order of their GUIDs. */
  sorted(): Run[] {
    return [...this.values()].sort((a, b) => (a.held.guid < b.held.guid ? -1 : 1))
  }

  /** All of a group and type, whatever is done about them. */
  checkedBy(batch: string): Run[] {
    const runs: Run[] = []
    for (const guid of this.#members.get(batch) ?? []) runs.push(this.#byGuid.get(guid) as Run)
    return runs
  }

  set(run: Run): void {
    const { guid } = run.held
    const known = this.#byGuid.get(guid)
    if (!known || (known.held !== run.held && !isSameBatch(known, run))) {
      const batch = batchOf(run)
      if (known) this.#leave(known)
      const members = this.#members.get(batch)
      if (members) members.add(guid)
      else this.#members.set(batch, new Set([guid]))
    }
    this.#byGuid.set(guid, run)
  }

  delete(guid: string): void {
    const known = this.#byGuid.get(guid)
    if (known) this.#leave(known)
    this.#byGuid.delete(guid)
  }

  #leave(run: Run): void {
    const members = this.#members.get(batchOf(run))
    members?.delete(run.held.guid)
    if (members?.size === 0) this.#members.delete(batchOf(run))
  }

  /** @returns those that were to be looked at by now; they are forgotten until `dueAgain` */
  takeDue(nowMs: number): Set<string> {
    return this.#due.take(nowMs)
  }

  /** When each of these needs to be looked at next. */
  dueAgain(guids: Iterable<string>): void {
    for (const guid of guids) {
      const run = this.#byGuid.get(guid)
      this.#due.set(guid, run ? dueMs(run) : null)
    }
  }

  /** When the first of all needs to be looked at, or null. */
  get nextDueMs(): number | null {
    return this.#due.next
  }
}

/** Whoever shares it is asked about in one call. */
export const batchOf = ({ held }: Run): string => `${held.groupId} ${held.type}`

const isSameBatch = ({ held: a }: Run, { held: b }: Run): boolean =>
  a.groupId === b.groupId && a.type === b.type

function dueMs(run: Run): number | null {
  const acts = run.call ? run.call.deadlineMs : run.restartAtMs
  if (!run.opened || run.dropping) return acts
  return Math.min(acts ?? run.isAliveAtMs, run.isAliveAtMs, run.looksAliveAtMs)
}
