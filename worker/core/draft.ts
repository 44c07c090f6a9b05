import type { Fencing } from '../../schema/fencing.ts'
import type { Group, Node, RegisteredType, Resource } from '../../schema/hive.ts'
import type {
  DrainPlan,
  Observation,
  ObservedResource,
  PendingFailback,
  PendingOffer,
  Waiting,
} from '../../schema/observed.ts'
import type { Rule } from '../../schema/placement.ts'
import type { Because, Change, Update } from '../../schema/update.ts'
import { byGroup, Census, dependents, inOrder, replaced } from './census.ts'
import type { ClusterState, Decision, Effect, Evidence, LogLine } from './decision.ts'
import { gumUpdate } from './gum.ts'
import { Precedence, sameOrder } from './precedence.ts'
import { SeatMap } from './seats.ts'

/**
 * The cluster as it will be when the decision under way is committed: the committed state with the
 * changes decided so far laid over it. The managers read and write this; the state itself stays.
 */
export class Draft {
  readonly nowMs: number
  /** Correlation id of what is decided now, unless a group carries one of its own (S-82). */
  readonly cause: string
  readonly effects: Effect[] = []
  readonly logLines: LogLine[] = []
  readonly updates: Update[] = []
  readonly observations: Observation[] = []
  readonly evidence: Evidence[] = []
  /** It is a game: who would be asked first is all that matters. */
  readonly brief: boolean
  readonly #state: ClusterState
  readonly #nodes = new Map<string, Node | null>()
  readonly #groups = new Map<string, Group | null>()
  readonly #resources = new Map<string, Resource | null>()
  readonly #types = new Map<string, RegisteredType | null>()
  readonly #rules = new Map<string, Rule | null>()
  readonly #seen = new Map<Observation['table'], Map<string, Observation>>()
  /** What the committed state comes to. */
  readonly census: Census
  /** Where groups are that are wanted online. */
  readonly seats: SeatMap
  /** Groups that this decision has done something to. */
  readonly touched = new Set<string>()
  /** The same, each time that it did. */
  readonly touchLog: string[] = []
  readonly touchedNodes = new Set<string>()
  /** It has done something that any group may look at. */
  touchedAll = false
  readonly #restless = new Set<string>()
  /** What was worked out from nodes and types alone: of no use when one of them has changed. */
  readonly memo = new Map<string, unknown>()
  #cluster: ClusterState['hive']['cluster']
  readonly #membersTouched = new Map<string, Set<string>>()
  #nodeList: readonly Node[] | null = null
  #precedence: Precedence | null = null
  /** Groups are others than the census has, or stand in another order. */
  #reordered = false
  #groupList: Group[] | null = null
  #ruleList: readonly Rule[] | null = null
  #rulesOf: Map<string, Rule[]> | null = null
  #dependents: Map<string, string[]> | null = null

  constructor(state: ClusterState, nowMs: number, cause: string, brief = false) {
    this.#state = state
    this.brief = brief
    this.nowMs = nowMs
    this.cause = cause
    this.#cluster = state.hive.cluster
    this.census = Census.of(state)
    this.seats = new SeatMap(
      {
        group: (id) => this.group(id),
        isWanted: (id) => this.resourcesOf(id).some((r) => r.persistentState === 1),
        offeredTo: (id) => this.offer(id)?.nodeId ?? null,
        waits: (id) => this.waiting(id) !== undefined,
      },
      this.census.seats,
    )
  }

  get cluster() {
    return this.#cluster
  }

  node(id: string): Node | undefined {
    return read(this.#nodes, this.#state.hive.nodes, id)
  }

  group(id: string): Group | undefined {
    return read(this.#groups, this.#state.hive.groups, id)
  }

  resource(id: string): Resource | undefined {
    return read(this.#resources, this.#state.hive.resources, id)
  }

  /** The ordered node list of the Node Manager (S-02). */
  nodes(): readonly Node[] {
    this.#nodeList ??=
      this.#nodes.size === 0
        ? this.census.nodes
        : merged(this.#nodes, this.#state.hive.nodes).sort((a, b) => a.position - b.position)
    return this.#nodeList
  }

  /** All groups in the order in which they are placed, which does not depend on that of insertion. */
  groups(): readonly Group[] {
    this.#groupList ??= this.precedence.ordered.map((id) => this.group(id) as Group)
    return this.#groupList
  }

  get precedence(): Precedence {
    if (!this.#reordered) return this.census.precedence
    this.#precedence ??= new Precedence(merged(this.#groups, this.#state.hive.groups), this.rules())
    return this.#precedence
  }

  precedes(a: Group, b: Group): boolean {
    return this.precedence.compare(a, b) < 0
  }

  /** Oldest first. */
  rules(): readonly Rule[] {
    this.#ruleList ??=
      this.#rules.size === 0
        ? this.census.rules
        : inOrder(merged(this.#rules, this.#state.hive.rules))
    return this.#ruleList
  }

  /** The rules that name a group, oldest first. */
  rulesOf(groupId: string): readonly Rule[] {
    if (this.#rules.size === 0) return this.census.rulesOf(groupId)
    this.#rulesOf ??= byGroup(this.rules())
    return this.#rulesOf.get(groupId) ?? []
  }

  /** Groups that come online after it, or only while it is. */
  dependentsOf(groupId: string): readonly string[] {
    if (!this.#reordered) return this.census.dependentsOf(groupId)
    this.#dependents ??= dependents(merged(this.#groups, this.#state.hive.groups))
    return this.#dependents.get(groupId) ?? []
  }

  resources(): readonly Resource[] {
    return merged(this.#resources, this.#state.hive.resources)
  }

  resourcesOf(groupId: string): readonly Resource[] {
    return this.#membersOf(groupId).map((id) => this.resource(id) as Resource)
  }

  #membersOf(groupId: string): readonly string[] {
    const known = this.census.membersOf(groupId)
    const touched = this.#membersTouched.get(groupId)
    if (!touched) return known
    const all = new Set(known)
    for (const id of touched)
      if (this.resource(id)) all.add(id)
      else all.delete(id)
    return [...all].sort()
  }

  /** In order of precedence. */
  groupsOwnedBy(nodeId: string): Group[] {
    const ids = new Set([...this.census.ownedBy(nodeId), ...this.touched])
    const place = ({ id }: Group) => this.precedence.placeOf(id)
    return [...ids]
      .flatMap((id) => this.group(id) ?? [])
      .filter(({ ownership }) => ownership.owner === nodeId)
      .sort((a, b) => place(a) - place(b))
  }

  /** What is the same for whoever asks, until a node or a type has changed. */
  once<T>(key: string, make: () => T): T {
    const known = this.memo.get(key) as T | undefined
    if (known !== undefined) return known
    const made = make()
    this.memo.set(key, made)
    return made
  }

  /** One of the cluster's own types. */
  type(name: string): RegisteredType | undefined {
    return read(this.#types, this.#state.hive.types, name)
  }

  /** For who looks one up among all there are. */
  get typesByName(): ReadonlyMap<string, RegisteredType> {
    if (this.#types.size === 0) return this.#state.hive.types
    return new Map(this.types().map((t) => [t.manifest.type, t]))
  }

  types(): readonly RegisteredType[] {
    return merged(this.#types, this.#state.hive.types)
  }

  observed(resourceId: string): ObservedResource | undefined {
    return this.#look('resource', resourceId, this.#state.observed.resources)
  }

  offer(groupId: string): PendingOffer | undefined {
    return this.#look('offer', groupId, this.#state.observed.offers)
  }

  failback(groupId: string): PendingFailback | undefined {
    return this.#look('failback', groupId, this.#state.observed.failbacks)
  }

  drain(nodeId: string): DrainPlan | undefined {
    return this.#look('drain', nodeId, this.#state.observed.drains)
  }

  /** Of nodes that are drained in a way that was said. */
  drains(): readonly (readonly [string, DrainPlan])[] {
    const ids = new Set(this.#state.observed.drains.keys())
    for (const id of this.#seen.get('drain')?.keys() ?? []) ids.add(id)
    return [...ids].sort().flatMap((id) => {
      const plan = this.drain(id)
      return plan ? [[id, plan] as const] : []
    })
  }

  waiting(groupId: string): Waiting | undefined {
    return this.#look('waiting', groupId, this.#state.observed.waiting)
  }

  fencing(nodeId: string): Fencing | undefined {
    return this.#look('fencing', nodeId, this.#state.observed.fencing)
  }

  /** Nodes that are Up without a session, as far as fencing has to do with it, by id. */
  fencings(): readonly string[] {
    const ids = new Set(this.#state.observed.fencing.keys())
    for (const id of this.#seen.get('fencing')?.keys() ?? []) ids.add(id)
    return [...ids].filter((id) => this.fencing(id) !== undefined).sort()
  }

  /** The number that the next update gets. */
  get nextSeq(): number {
    return this.#state.hive.seq + this.updates.length + 1
  }

  /** The one door by which the hive changes: numbered, with its reason, in the log. */
  put(change: Change, because: Because, correlationId: string = this.cause): void {
    this.updates.push(gumUpdate(this.nextSeq, this.nowMs, change, because, correlationId))
    switch (change.table) {
      case 'cluster':
        this.#cluster = change.value
        this.touchedAll = true
        break
      case 'node':
        this.#nodeList = replaced(this.nodes(), change.id, change.value)
        this.#nodes.set(change.id, change.value)
        this.#touchNode(change.id)
        break
      case 'group':
        if (!sameOrder(this.group(change.id), change.value)) this.#reorder()
        this.#groups.set(change.id, change.value)
        this.#groupList = null
        this.#touch(change.id)
        break
      case 'resource': {
        const groupId = (change.value ?? this.resource(change.id))?.groupId
        this.#resources.set(change.id, change.value)
        if (groupId === undefined) break
        const members = this.#membersTouched.get(groupId) ?? new Set()
        this.#membersTouched.set(groupId, members.add(change.id))
        this.#touch(groupId)
        break
      }
      case 'rule':
        this.#rules.set(change.id, change.value)
        this.#ruleList = this.#rulesOf = this.#groupList = null
        this.#reorder()
        break
      case 'type':
        this.#types.set(change.id, change.value)
        this.#touchAll()
        break
    }
  }

  observe(o: Observation): void {
    this.observations.push(o)
    const seen = this.#seen.get(o.table)
    if (seen) seen.set(o.id, o)
    else this.#seen.set(o.table, new Map([[o.id, o]]))
    if (o.table === 'fencing' || o.table === 'drain') return this.#touchNode(o.id)
    if (o.table !== 'resource') return this.#touch(o.id)
    const groupId = this.resource(o.id)?.groupId
    if (groupId !== undefined) this.#touch(groupId)
  }

  #touch(groupId: string): void {
    this.touched.add(groupId)
    this.touchLog.push(groupId)
    this.seats.touch(groupId)
  }

  #touchNode(nodeId: string): void {
    this.touchedNodes.add(nodeId)
    this.memo.clear()
  }

  #touchAll(): void {
    this.touchedAll = true
    this.memo.clear()
  }

  #reorder(): void {
    this.#reordered = true
    this.#precedence = this.#dependents = null
    this.touchedAll = true
  }

  /** It would do something if it could, or will when some time has passed: it is looked at in every step. */
  staysRestless(groupId: string): void {
    this.#restless.add(groupId)
  }

  /** Whether it said so since the last time that this was asked. */
  wasRestless(groupId: string): boolean {
    return this.#restless.delete(groupId)
  }

  log(line: Omit<LogLine, 'after'>): void {
    this.logLines.push({ ...line, after: this.updates.length })
  }

  decision(): Decision {
    return {
      refused: null,
      updates: this.updates,
      observations: this.observations,
      effects: this.effects,
      log: this.logLines,
      ...(this.evidence.length > 0 && { evidence: this.evidence }),
    }
  }

  #look<V>(table: Observation['table'], id: string, base: ReadonlyMap<string, V>): V | undefined {
    const seen = this.#seen.get(table)?.get(id)
    return seen ? ((seen.value as V | null) ?? undefined) : base.get(id)
  }
}

function read<V>(over: Map<string, V | null>, base: ReadonlyMap<string, V>, id: string) {
  const value = over.get(id)
  return value === undefined ? base.get(id) : (value ?? undefined)
}

function merged<V>(over: Map<string, V | null>, base: ReadonlyMap<string, V>): V[] {
  const out: V[] = []
  for (const [id, value] of base) if (!over.has(id)) out.push(value)
  for (const value of over.values()) if (value !== null) out.push(value)
  return out
}
