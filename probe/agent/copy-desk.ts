/**
 * Copies of workloads that are moved here while they run (M1, M7): a place is made for one when it is
 * offered, and what the hive does not speak of any more is let go of.
 */
import type { Receiver } from '../../schema/carry.ts'
import type { Hive } from '../../schema/hive.ts'
import type { AgentToGuard, FromRhs, HeldResource } from '../../schema/ipc.ts'
import { typeInfo } from '../../schema/resource-types/index.ts'
import type { MonitorList } from './monitors.ts'
import type { Report } from './reports.ts'

interface Parts {
  readonly monitors: Pick<MonitorList, 'hostOf' | 'isReady'>
  toGuard(frame: AgentToGuard): void
  tell(report: Report): void
  hive(): Hive
  /** All members as this host would hold them. */
  members(groupId: string, epoch: number): HeldResource[]
}

export type Received = { to: Receiver } | { problem: string }

/** The control plane waits for 2 s in all. */
const PLACE_MS = 1_000

export class CopyDesk {
  readonly #parts: Parts
  readonly #asked = new Map<number, (received: Received) => void>()
  #next = 1
  #wanted = ''
  #seq = -1

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Where the one of its members that can travel is to be received. */
  receive(groupId: string, epoch: number, mid: string): Promise<Received> {
    const { monitors, toGuard, hive } = this.#parts
    const travels = ({ type, persistentState }: HeldResource) =>
      persistentState === 1 && typeInfo(hive().types, type)?.moves?.live === true
    const resource = this.#parts.members(groupId, epoch).find(travels)
    const monitor = resource ? monitors.hostOf(resource.type) : null
    if (!resource || monitor === null || !monitors.isReady(monitor))
      return Promise.resolve({ problem: 'nothing of it can be received here' })
    // The guard takes no copy that it has not heard of.
    this.look()
    const request = this.#next
    this.#next += 1
    return new Promise((resolve) => {
      const late = { problem: 'its module has not made a place for it in time' }
      const timer = setTimeout(() => this.#over(request, late), PLACE_MS)
      this.#asked.set(request, (received) => {
        clearTimeout(timer)
        resolve(received)
      })
      toGuard({ t: 'toRhs', monitor, frame: { t: 'receive', request, resource, mid } })
    })
  }

  heard(frame: Extract<FromRhs, { t: 'received' | 'notCarried' }>): void {
    if (frame.t === 'received') {
      const { request, to, problem = 'there is no place for it' } = frame
      return this.#over(request, to ? { to } : { problem })
    }
    const { guid, epoch, mid, reason } = frame
    const groupId = this.#parts.hive().resources.get(guid)?.groupId
    if (groupId) this.#parts.tell({ t: 'notCarried', groupId, epoch, mid, reason })
  }

  /** M7: whenever anything has happened; only what the replica has new is looked at. */
  look(): void {
    const hive = this.#parts.hive()
    if (hive.seq === this.#seq) return
    this.#seq = hive.seq
    const mids = copiesIn(hive)
    const text = mids.join()
    if (text === this.#wanted) return
    this.#wanted = text
    this.#parts.toGuard({ t: 'copiesWanted', mids })
  }

  #over(request: number, received: Received): void {
    this.#asked.get(request)?.(received)
    this.#asked.delete(request)
  }
}

/** Every migration that the hive speaks of: under way, acked, or about to be gone on from. */
function copiesIn(hive: Hive): string[] {
  const mids: string[] = []
  for (const { ownership } of hive.groups.values()) {
    if (ownership.phase === 'releasing' && ownership.carry) mids.push(ownership.carry.mid)
    if (ownership.phase === 'free' && ownership.copy) mids.push(ownership.copy.mid)
    if (ownership.phase === 'owned' && ownership.resume) mids.push(ownership.resume.mid)
  }
  return mids
}
