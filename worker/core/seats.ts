/**
 * Where the groups are that are wanted online, and where they are about to be: what room and rules are
 * judged by. What is wanted offline takes no room and is in nobody's way.
 */
import type { Group } from '../../schema/hive.ts'

export interface Seat {
  readonly group: Group
  /** The node that may run it now. */
  readonly here: string | null
  /** It has been told to stop there. */
  readonly leaves: boolean
  /** The node that it is on its way to: asked, or told to be next. */
  readonly bound: string | null
}

/** What seats are made from. */
export interface SeatSource {
  group(id: string): Group | undefined
  /** Whether any of it is wanted online. */
  isWanted(groupId: string): boolean
  offeredTo(groupId: string): string | null
  waits(groupId: string): boolean
}

/** What those who are on a node take of it. */
export interface Load {
  /** By name: what those need that may run there now. */
  readonly here: Readonly<Record<string, number>>
  /** Those that are only on their way. */
  readonly bound: readonly Seat[]
}

/** Where a map of seats begins. */
export type Seats = Pick<SeatMap, 'of' | 'at' | 'load'>

export class SeatMap {
  readonly #source: SeatSource
  /** What is the same as there is not kept here. */
  readonly #under: Seats | undefined
  readonly #seats = new Map<string, Seat | null>()
  /** What is otherwise there than below. */
  readonly #byNode = new Map<string, Otherwise>()
  readonly #lists = new Map<string, readonly Seat[]>()
  readonly #loads = new Map<string, Load>()
  readonly #touched = new Set<string>()

  constructor(source: SeatSource, under?: Seats) {
    this.#source = source
    this.#under = under
  }

  /** A group, its members or its offer are others now. */
  touch(groupId: string): void {
    this.#touched.add(groupId)
  }

  /** Undefined: it is not wanted online. */
  of(groupId: string): Seat | undefined {
    this.#refresh()
    return this.#known(groupId) ?? undefined
  }

  /** All that are on a node or on their way there, by GUID. */
  at(nodeId: string): readonly Seat[] {
    this.#refresh()
    const known = this.#lists.get(nodeId)
    if (known) return known
    const own = this.#byNode.get(nodeId)
    const under = this.#under?.at(nodeId) ?? []
    const list = own ? otherwise(under, own) : under
    this.#lists.set(nodeId, list)
    return list
  }

  load(nodeId: string): Load {
    this.#refresh()
    const known = this.#loads.get(nodeId)
    if (known) return known
    if (!this.#byNode.has(nodeId) && this.#under) return this.#under.load(nodeId)
    const here: Record<string, number> = {}
    const bound: Seat[] = []
    for (const seat of this.at(nodeId)) {
      if (seat.here !== nodeId) bound.push(seat)
      else
        for (const [name, amount] of Object.entries(seat.group.needs ?? {}))
          here[name] = (here[name] ?? 0) + amount
    }
    const load = { here, bound }
    this.#loads.set(nodeId, load)
    return load
  }

  #known(groupId: string): Seat | null {
    const own = this.#seats.get(groupId)
    if (own !== undefined) return own
    return this.#under?.of(groupId) ?? null
  }

  #refresh(): void {
    if (this.#touched.size === 0) return
    for (const id of this.#touched) this.#take(id)
    this.#touched.clear()
  }

  #take(groupId: string): void {
    const before = this.#known(groupId)
    for (const node of [before?.here, before?.bound]) {
      if (!node) continue
      const own = this.#on(node)
      own.came.delete(groupId)
      if (this.#under) own.left.add(groupId)
    }
    const seat = seatOf(this.#source, groupId)
    this.#seats.set(groupId, seat)
    for (const node of [seat?.here, seat?.bound])
      if (node && seat) this.#on(node).came.set(groupId, seat)
  }

  #on(nodeId: string): Otherwise {
    this.#lists.delete(nodeId)
    this.#loads.delete(nodeId)
    const known = this.#byNode.get(nodeId)
    if (known) return known
    const made = { came: new Map<string, Seat>(), left: new Set<string>() }
    this.#byNode.set(nodeId, made)
    return made
  }
}

interface Otherwise {
  readonly came: Map<string, Seat>
  /** Also of those that have come: below they are not looked for. */
  readonly left: Set<string>
}

/** Both in the order of GUIDs. */
function otherwise(under: readonly Seat[], { came, left }: Otherwise): readonly Seat[] {
  const news = [...came.values()].sort((a, b) => (a.group.id < b.group.id ? -1 : 1))
  if (under.length === 0) return news
  const list: Seat[] = []
  let next = 0
  for (const seat of under) {
    const { id } = seat.group
    if (left.has(id)) continue
    for (let one = news[next]; one && one.group.id < id; one = news[next]) {
      list.push(one)
      next += 1
    }
    list.push(seat)
  }
  list.push(...news.slice(next))
  return list
}

function seatOf(source: SeatSource, groupId: string): Seat | null {
  const group = source.group(groupId)
  // What waits for another group must not be in the way of that one.
  if (!group || group.waitsFor || !source.isWanted(groupId)) return null
  const { ownership } = group
  if (ownership.phase === 'owned')
    return { group, here: ownership.owner, leaves: false, bound: null }
  if (ownership.phase === 'releasing')
    return { group, here: ownership.owner, leaves: true, bound: ownership.to }
  const next = source.waits(groupId) && !ownership.room ? null : ownership.to
  return { group, here: null, leaves: false, bound: source.offeredTo(groupId) ?? next }
}
