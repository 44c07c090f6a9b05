/**
 * What a committed state comes to, kept from one step to the next: who is a member of which group, in which
 * order nodes and groups are, who is where, and which groups are known to be at rest. Nothing here is
 * decided on that is not in the state; without it every step would have to count a large cluster anew.
 */

import type { Group, Hive, Node } from '../../schema/hive.ts'
import { followObservations, type Observation, type Observed } from '../../schema/observed.ts'
import type { Rule } from '../../schema/placement.ts'
import type { Change } from '../../schema/update.ts'
import { followUpdates } from '../../schema/update.ts'
import type { ClusterState } from './decision.ts'
import { Overlay } from './overlay.ts'
import { Precedence, sameOrder } from './precedence.ts'
import { SeatMap, type Seats } from './seats.ts'

const known = new WeakMap<Hive, Census>()

export class Census {
  readonly #hive: Hive
  readonly #observed: Observed
  readonly #members: Map<string, readonly string[]>
  /** By node. A set that somebody else may have as well is never changed. */
  readonly #owned: Map<string, ReadonlySet<string>>
  readonly #ownSets = new Map<string, Set<string>>()
  readonly seats: SeatMap
  #nodes: readonly Node[] | null = null
  #rules: Rule[] | null = null
  #rulesOf: Map<string, Rule[]> | null = null
  #dependents: Map<string, string[]> | null = null
  #precedence: Precedence | null = null
  /** Groups that something has happened to, or to what they look at, since they were looked at last. */
  readonly unsettled = new Set<string>()
  /** Nodes that something has happened to: what is on them has to be looked at. */
  readonly unsettledNodes = new Set<string>()
  /** All of them are: something has happened that any group may look at. */
  allUnsettled = true
  /** Groups that would do something if they could: looked at in every step. */
  readonly restless = new Set<string>()
  /** Groups that are to stay where they were moved to, until a time. */
  readonly stuck = new Set<string>()
  /** Hears of each change, after it; one at most. */
  onChange: ((what: Touched | 'all') => void) | null = null

  /** The one of this state. It follows whatever is applied to it. */
  static of({ hive, observed }: ClusterState): Census {
    const there = known.get(hive)
    if (there && there.#observed === observed) return there
    const made = new Census(hive, observed)
    known.set(hive, made)
    followUpdates(hive, (change) => made.#changed(change))
    followObservations(observed, (o) => made.#seen(o))
    return made
  }

  /**
   * That of a copy of a state that nothing has been applied to yet: what is the same is not counted again.
   * The copy must not outlive the next change of the state it was made from.
   */
  static copy(from: ClusterState, to: ClusterState, trace?: Trace): void {
    const made = new Census(to.hive, to.observed, Census.of(from), trace)
    known.set(to.hive, made)
    followUpdates(to.hive, (change) => made.#changed(change))
    followObservations(to.observed, (o) => made.#seen(o))
  }

  private constructor(hive: Hive, observed: Observed, like?: Census, trace?: Trace) {
    this.#hive = hive
    this.#observed = observed
    this.#members = like ? new Overlay(like.#members, trace?.ofGroup) : members(hive)
    this.#owned = like ? new Overlay(like.#owned, trace?.ofNode) : owned(hive)
    this.seats = new SeatMap(
      {
        group: (id) => this.#hive.groups.get(id),
        isWanted: (id) => this.membersOf(id).some((r) => this.#isWanted(r)),
        offeredTo: (id) => this.#observed.offers.get(id)?.nodeId ?? null,
        waits: (id) => this.#observed.waiting.has(id),
      },
      like && trace ? trace.seats(like.seats) : like?.seats,
    )
    if (!like) {
      for (const { id, stick } of hive.groups.values()) {
        this.seats.touch(id)
        if (stick) this.stuck.add(id)
      }
      return
    }
    this.#nodes = like.#nodes
    this.#rules = like.#rules
    this.#rulesOf = like.#rulesOf
    this.#dependents = like.#dependents
    this.#precedence = like.#precedence
    this.allUnsettled = like.allUnsettled
    for (const id of like.unsettled) this.unsettled.add(id)
    for (const id of like.unsettledNodes) this.unsettledNodes.add(id)
    for (const id of like.restless) this.restless.add(id)
    for (const id of like.stuck) this.stuck.add(id)
  }

  #isWanted(resourceId: string): boolean {
    return this.#hive.resources.get(resourceId)?.persistentState === 1
  }

  /** Groups that it owns. */
  ownedBy(nodeId: string): ReadonlySet<string> {
    return this.#owned.get(nodeId) ?? NONE
  }

  /** GUIDs of its resources, sorted. */
  membersOf(groupId: string): readonly string[] {
    return this.#members.get(groupId) ?? []
  }

  /** The ordered node list (S-02). */
  get nodes(): readonly Node[] {
    this.#nodes ??= [...this.#hive.nodes.values()].sort((a, b) => a.position - b.position)
    return this.#nodes
  }

  /** Oldest first. */
  get rules(): readonly Rule[] {
    this.#rules ??= inOrder(this.#hive.rules.values())
    return this.#rules
  }

  rulesOf(groupId: string): readonly Rule[] {
    this.#rulesOf ??= byGroup(this.rules)
    return this.#rulesOf.get(groupId) ?? []
  }

  /** Groups that come online after it, or only while it is. */
  dependentsOf(groupId: string): readonly string[] {
    this.#dependents ??= dependents(this.#hive.groups.values())
    return this.#dependents.get(groupId) ?? []
  }

  get precedence(): Precedence {
    this.#precedence ??= new Precedence([...this.#hive.groups.values()], this.rules)
    return this.#precedence
  }

  #changed(applied: Applied): void {
    if (!this.onChange) return this.#take(applied)
    const groupId = groupOf(applied)
    const were = groupId === null ? null : this.#standing(groupId, ownGroup(applied))
    this.#take(applied)
    this.#tell(groupId, were)
  }

  /** @param groupId null: anything may be otherwise now */
  #tell(groupId: string | null, were: Standing | null): void {
    if (!this.onChange) return
    if (groupId === null || were === null) return this.onChange('all')
    const are = this.#standing(groupId)
    const moved = were.asSeen !== are.asSeen
    this.onChange({ groupId, nodes: new Set(moved ? [...were.nodes, ...are.nodes] : []) })
  }

  /** @param group as it was; its seat is as it was until a change is taken */
  #standing(groupId: string, group = this.#hive.groups.get(groupId)): Standing {
    const seat = this.seats.of(groupId)
    const owner = group?.ownership.owner
    const { leaves, here, bound } = seat ?? {}
    const { name, needs, ownership } = group ?? {}
    return {
      nodes: [here, bound, owner].filter((id) => id != null),
      asSeen: JSON.stringify([here, bound, leaves, name, needs, ownership]),
    }
  }

  #take({ change, before }: Applied): void {
    switch (change.table) {
      case 'group': {
        const [was, is] = [before as Group | undefined, change.value]
        if (!sameOrder(was, is)) {
          this.#precedence = this.#dependents = null
          this.allUnsettled = true
        }
        this.#moved(change.id, was?.ownership.owner ?? null, is?.ownership.owner ?? null)
        if (is?.stick) this.stuck.add(change.id)
        else this.stuck.delete(change.id)
        if (is === null) {
          this.unsettled.delete(change.id)
          this.restless.delete(change.id)
        } else this.unsettled.add(change.id)
        this.seats.touch(change.id)
        break
      }
      case 'resource': {
        const groupId = (change.value ?? (before as { groupId: string } | undefined))?.groupId
        if (groupId === undefined) break
        const others = this.membersOf(groupId).filter((id) => id !== change.id)
        // A list that somebody else may have as well is never changed.
        this.#members.set(groupId, change.value ? [...others, change.id].sort() : others)
        this.unsettled.add(groupId)
        this.seats.touch(groupId)
        break
      }
      case 'rule':
        this.#rules = this.#rulesOf = this.#precedence = null
        this.allUnsettled = true
        break
      case 'node':
        this.#nodes = this.#nodes && replaced(this.#nodes, change.id, change.value)
        this.unsettledNodes.add(change.id)
        break
      case 'cluster':
      case 'type':
        this.allUnsettled = true
        break
    }
  }

  #moved(groupId: string, from: string | null, to: string | null): void {
    if (from === to) return
    if (from !== null) this.#ownSet(from).delete(groupId)
    if (to !== null) this.#ownSet(to).add(groupId)
  }

  #ownSet(nodeId: string): Set<string> {
    const known = this.#ownSets.get(nodeId)
    if (known) return known
    const made = new Set(this.ownedBy(nodeId))
    this.#ownSets.set(nodeId, made)
    this.#owned.set(nodeId, made)
    return made
  }

  #seen(o: Observation): void {
    if (!this.onChange) return this.#see(o)
    const groupId = this.#observedOf(o)
    const were = groupId === null ? null : this.#standing(groupId)
    this.#see(o)
    this.#tell(groupId, were)
  }

  /** The group that an observation is about; null: none. */
  #observedOf({ table, id }: Observation): string | null {
    if (table === 'fencing' || table === 'drain') return null
    return table === 'resource' ? (this.#hive.resources.get(id)?.groupId ?? null) : id
  }

  #see({ table, id }: Observation): void {
    if (table === 'fencing' || table === 'drain') this.unsettledNodes.add(id)
    else if (table === 'resource') {
      const groupId = this.#hive.resources.get(id)?.groupId
      if (groupId !== undefined) this.unsettled.add(groupId)
    } else {
      if (this.#hive.groups.has(id)) this.unsettled.add(id)
      this.seats.touch(id)
    }
  }
}

interface Applied {
  readonly change: Change
  readonly before: unknown
}

interface Standing {
  readonly nodes: readonly string[]
  /** All that others look at who ask for those on a node. */
  readonly asSeen: string
}

/** A group that something has happened to, with the nodes that it was on or bound for before or after. */
export interface Touched {
  readonly groupId: string
  readonly nodes: ReadonlySet<string>
}

/** What a copy is made with when it has to be known what was looked at in it. */
export interface Trace {
  ofGroup(groupId: string | null): void
  ofNode(nodeId: string | null): void
  seats(under: SeatMap): Seats
}

/** The group as it was, if the change is of a group. */
const ownGroup = ({ change, before }: Applied): Group | undefined =>
  change.table === 'group' ? (before as Group | undefined) : undefined

/** The group that a change is about; null: it may be about any. */
function groupOf({ change, before }: Applied): string | null {
  if (change.table === 'group')
    return sameOrder(before as Group | undefined, change.value) ? change.id : null
  if (change.table !== 'resource') return null
  return (change.value ?? (before as { groupId: string } | undefined))?.groupId ?? null
}

/** The list with one that is otherwise now; null: it has to be made anew. */
export function replaced(
  nodes: readonly Node[],
  id: string,
  node: Node | null,
): readonly Node[] | null {
  const at = nodes.findIndex((one) => one.id === id)
  return node && nodes[at]?.position === node.position ? nodes.with(at, node) : null
}

const NONE: ReadonlySet<string> = new Set()

function members(hive: Hive): Map<string, readonly string[]> {
  const lists = new Map<string, string[]>()
  for (const { id, groupId } of hive.resources.values()) {
    const list = lists.get(groupId)
    if (list) list.push(id)
    else lists.set(groupId, [id])
  }
  for (const list of lists.values()) list.sort()
  return lists
}

function owned(hive: Hive): Map<string, Set<string>> {
  const byNode = new Map<string, Set<string>>()
  for (const { id, ownership } of hive.groups.values()) {
    if (ownership.owner === null) continue
    const ids = byNode.get(ownership.owner)
    if (ids) ids.add(id)
    else byNode.set(ownership.owner, new Set([id]))
  }
  return byNode
}

export const inOrder = (rules: Iterable<Rule>): Rule[] =>
  [...rules].sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1))

export function byGroup(rules: readonly Rule[]): Map<string, Rule[]> {
  const out = new Map<string, Rule[]>()
  for (const rule of rules)
    for (const id of rule.groups) {
      const list = out.get(id)
      if (list) list.push(rule)
      else out.set(id, [rule])
    }
  return out
}

export function dependents(groups: Iterable<Group>): Map<string, string[]> {
  const out = new Map<string, string[]>()
  for (const { id, after = [], onlyWhile = [] } of groups)
    for (const provider of new Set([...after, ...onlyWhile])) {
      const list = out.get(provider)
      if (list) list.push(id)
      else out.set(provider, [id])
    }
  return out
}
