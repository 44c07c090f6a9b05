/** What RHS keeps of its calls, for whoever asks (S-25): per module, and per group's checks. */
import type { GroupRow, ModuleRow, MonitorTables } from '../../schema/host-status.ts'
import type { ResourceModule } from '../../schema/resource-type.ts'
import type { RhsState } from '../core/rhs.ts'
import type { CallRing } from '../os/call-ring.ts'

interface Book {
  calls: number
  last: ModuleRow['lastCall']
  lastError: ModuleRow['lastError']
  readonly open: Map<number, { fn: string; name: string; atMs: number }>
}

type Check = NonNullable<GroupRow['isAlive']>

export class CallBook {
  readonly #books = new Map<string, Book>()
  readonly #checks = new Map<string, Check>()
  readonly #ring: CallRing | null
  #next = 1

  /** @param ring where the last calls are to be found when this process is dead or hangs */
  constructor(ring: CallRing | null = null) {
    this.#ring = ring
  }

  /** @returns to be called when it has ended, with what went wrong */
  begin(
    type: string,
    fn: string,
    name: string,
    ids: readonly string[],
    atMs: number,
  ): (nowMs: number, error?: string) => void {
    const book = this.#bookOf(type)
    const id = this.#next
    this.#next += 1
    book.calls += 1
    const call = { fn, name, atMs }
    book.open.set(id, call)
    const ended = this.#ring?.begin(type, fn, name, ids, atMs)
    return (nowMs, error) => {
      book.open.delete(id)
      ended?.(nowMs - atMs, error)
      book.last = { ...call, tookMs: nowMs - atMs }
      if (error !== undefined) book.lastError = { ...call, error: error.slice(0, 1_000) }
    }
  }

  /** One check of a group, by one of its types. */
  checked(groupId: string, fn: 'isAlive' | 'looksAlive', atMs: number, tookMs: number): void {
    this.#checks.set(`${groupId} ${fn}`, { atMs, tookMs })
  }

  tables(
    modules: ReadonlyMap<string, ResourceModule>,
    state: RhsState,
    nowMs: number,
  ): MonitorTables {
    const runs = [...state.runs.values()]
    const rows: ModuleRow[] = [...modules.values()].map((module) => {
      const { type, version, host } = module
      const states: Record<string, number> = {}
      for (const run of runs)
        if (run.held.type === type) states[run.status] = (states[run.status] ?? 0) + 1
      const { calls, last, lastError, open } = this.#bookOf(type)
      const resources = Object.values(states).reduce((sum, n) => sum + n, 0)
      return {
        ...{ type, version, host, resources, states, calls, lastCall: last, lastError },
        open: [...open.values()].slice(0, 100),
      }
    })
    return { atMs: nowMs, modules: rows, groups: this.#groups(state) }
  }

  #groups(state: RhsState): GroupRow[] {
    const groups = new Map<string, GroupRow>()
    for (const { held, status, detail, restarts } of state.runs.sorted()) {
      const { guid, name, type, persistentState, groupId, epoch } = held
      const row = groups.get(groupId) ?? {
        ...{ groupId, epoch, members: [] },
        isAlive: this.#checks.get(`${groupId} isAlive`) ?? null,
        looksAlive: this.#checks.get(`${groupId} looksAlive`) ?? null,
      }
      groups.set(groupId, row)
      row.members.push({
        ...{ guid, name, type, persistentState, status, restarts: restarts.length },
        ...(detail !== undefined && { detail: detail.slice(0, 1_000) }),
      })
    }
    return [...groups.values()]
  }

  #bookOf(type: string): Book {
    const known = this.#books.get(type)
    if (known) return known
    const book: Book = { calls: 0, last: null, lastError: null, open: new Map() }
    this.#books.set(type, book)
    return book
  }
}
