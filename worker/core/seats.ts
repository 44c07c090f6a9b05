/**
 * Where the groups are that are wanted online, and where they are about to be: what room and rules are
 * judged by. What is wanted offline, or waits for another group, takes no room and is in nobody's way.
 */
import type { Group } from '../../schema/hive.ts'
import type { Draft } from './draft.ts'

export interface Seat {
  readonly group: Group
  /** The node that may run it now. */
  readonly here: string | null
  /** It has been told to stop there. */
  readonly leaves: boolean
  /** The node that it is on its way to: asked, or told to be next. */
  readonly bound: string | null
}

export class Seats {
  readonly #draft: Draft
  readonly #changed = new Set<string>()
  #seats: Map<string, Seat> | null = null
  #byNode = new Map<string, Set<string>>()

  constructor(draft: Draft) {
    this.#draft = draft
  }

  /** A group, its members or its offer are others now. */
  touch(groupId: string): void {
    if (this.#seats !== null) this.#changed.add(groupId)
  }

  /** Undefined: it is not wanted online. */
  of(groupId: string): Seat | undefined {
    return this.#known().get(groupId)
  }

  /** All that are on a node or on their way there. */
  at(nodeId: string): readonly Seat[] {
    const known = this.#known()
    return [...(this.#byNode.get(nodeId) ?? [])].map((id) => known.get(id) as Seat)
  }

  #known(): Map<string, Seat> {
    if (this.#seats === null) {
      this.#seats = new Map()
      for (const group of this.#draft.groups()) this.#take(this.#seats, group.id)
    }
    for (const id of this.#changed) this.#take(this.#seats, id)
    this.#changed.clear()
    return this.#seats
  }

  #take(seats: Map<string, Seat>, groupId: string): void {
    const before = seats.get(groupId)
    for (const node of [before?.here, before?.bound])
      if (node) this.#byNode.get(node)?.delete(groupId)
    const seat = this.#seatOf(groupId)
    if (seat === null) return void seats.delete(groupId)
    seats.set(groupId, seat)
    for (const node of [seat.here, seat.bound]) if (node) this.#list(node).add(groupId)
  }

  #list(nodeId: string): Set<string> {
    const known = this.#byNode.get(nodeId)
    if (known) return known
    const made = new Set<string>()
    this.#byNode.set(nodeId, made)
    return made
  }

  #seatOf(groupId: string): Seat | null {
    const group = this.#draft.group(groupId)
    // What waits for another group must not be in the way of that one.
    if (!group || group.waitsFor) return null
    if (!this.#draft.resourcesOf(groupId).some((r) => r.persistentState === 1)) return null
    const { ownership } = group
    if (ownership.phase === 'owned')
      return { group, here: ownership.owner, leaves: false, bound: null }
    if (ownership.phase === 'releasing')
      return { group, here: ownership.owner, leaves: true, bound: ownership.to }
    const offered = this.#draft.offer(groupId)?.nodeId ?? null
    const waits = this.#draft.waiting(groupId) !== undefined
    const next = waits && !ownership.room ? null : ownership.to
    return { group, here: null, leaves: false, bound: offered ?? next }
  }
}
