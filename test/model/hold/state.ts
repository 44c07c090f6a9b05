/** Takeover policy hold-with-majority (rules H): what one state holds, and its normal form. */
import type { Faults, Removed } from '../model.ts'
import { at, has, hasGaps, members, range, record, renamed } from '../record.ts'
import { type State, Stepper } from '../stepper.ts'

export type HoldRule =
  | 'noDoMajority'
  | 'ignoreFence'
  | 'noMajority'
  | 'noMeshWait'
  | 'noMeshMargin'
  | 'welcomeNoFence'
  | 'volatileIntent'
  | 'holdMinority'
  | 'latestViewOnly'
  | 'voteWithoutStanding'

export interface HoldConfig {
  readonly removed?: Removed<HoldRule>
  readonly faults?: Faults<'restart' | 'crash'>
  readonly nodes?: number
  /** `naive`: the first sketch of this policy, which is not safe (H1). */
  readonly rule?: 'promises' | 'naive'
  /** Member sets of the membership views; the object moves through them in order. */
  readonly views?: readonly number[]
  /** Sets of nodes: who asks for mesh grants, and who has no fault of its own. They narrow the search. */
  readonly askers?: number
  readonly calm?: number
  /** Later starting points, to reach deep counterexamples quickly. */
  readonly startView?: number
  readonly startDown?: number
  /** Repairs of the sketch by timers: silence after the lease end, a delay for who joins, slow pings. */
  readonly quiet?: number
  readonly joinDelay?: true
  readonly slowPing?: true
  /** States that differ by the names of nodes are one. */
  readonly symmetric?: true
  readonly onlyDual?: true
}

/** `target`: the durable intent to take over from a node; `promised`: who has promised so far (a set). */
const GROUP = record(['owner', 'epoch', 'target', 'promised', 'sincePromise', 'view'])

/**
 * `objectAge`: age of the last renewal as the object knows it, since Down when Down. `running` is an
 * epoch. `fences`: nodes that this one has promised never to grant to. `viewHeld` by the node,
 * `viewKnown`: the object knows that it holds it. `standing`: as a voter (H2).
 */
const NODE_NAMES = [
  'up',
  'objectSession',
  'objectAge',
  'session',
  'leaseAge',
  'running',
  'fences',
  'viewHeld',
  'viewKnown',
  'standing',
  'slowPing',
] as const
const NODE = record(NODE_NAMES)

/** Bytes of a node by which nodes are sorted: all but the sets and views, which name other things. */
const SORTED_BY = NODE_NAMES.flatMap((name, at) =>
  name === 'fences' || name === 'viewHeld' || name === 'viewKnown' ? [] : [at],
)

export const SESSION = { none: 0, reported: 1, welcomed: 2 } as const

export type HoldNode = ReturnType<typeof NODE.on> & {
  /** Age of the mesh grant from each node. */
  readonly grants: Uint8Array
  /** The bytes of the fields above, in their order. */
  readonly fields: Uint8Array
}

export interface HoldState extends State {
  readonly group: ReturnType<typeof GROUP.on>
  readonly nodes: readonly HoldNode[]
}

export interface HoldContext {
  readonly config: HoldConfig
  readonly removed: Removed<HoldRule>
  readonly count: number
  readonly naive: boolean
  readonly views: readonly number[]
  /** Votes that are a majority, for each view (H3). */
  readonly majorities: readonly number[]
  readonly size: number
  readonly stepper: Stepper<HoldState>
  readonly makeState: () => HoldState
}

/** Longest real life of a lease of the object and of a mesh grant, in ticks. */
export const LEASE = 1
export const MESH = 1
/** W(TTL): strictly more. */
export const WAIT = LEASE + 1
export const NO_GRANT = MESH + 1
/** As old as the object ever has to know. */
export const LONG_AGO = Math.max(WAIT, MESH + 1)

export const meshWait = (c: HoldContext) => MESH + (c.removed.noMeshMargin ? 0 : 1)
export const silence = (c: HoldContext) => c.config.quiet ?? 0
export const noLease = (c: HoldContext) => LEASE + silence(c) + 1

export function makeContext(config: HoldConfig): HoldContext {
  const count = config.nodes ?? 3
  const views = config.views ?? [(1 << count) - 1]
  const makeState = () => stateOf(count)
  const space: SortSpace = {
    keys: new Float64Array(count),
    order: new Int32Array(count),
    place: new Int32Array(count),
    old: makeState(),
  }
  const context: HoldContext = {
    config,
    removed: config.removed ?? {},
    count,
    naive: config.rule === 'naive',
    views,
    majorities: views.map(majority),
    size: makeState().bytes.length,
    stepper: new Stepper<HoldState>(makeState, (state) => normalise(context, state, space)),
    makeState,
  }
  return context
}

/** H3: the object has a vote where the number of nodes is even. */
function majority(view: number): number {
  const nodes = members(view)
  return Math.floor((nodes % 2 === 1 ? nodes : nodes + 1) / 2) + 1
}

function stateOf(count: number): HoldState {
  const nodeSize = NODE.size + count
  const bytes = new Uint8Array(GROUP.size + count * nodeSize)
  const nodes = range(count, (n) => {
    const start = GROUP.size + n * nodeSize
    const grants = bytes.subarray(start + NODE.size, start + nodeSize)
    const fields = bytes.subarray(start, start + NODE.size)
    return Object.assign(NODE.on(bytes, start), { grants, fields })
  })
  return { bytes, group: GROUP.on(bytes, 0), nodes }
}

function normalise(c: HoldContext, state: HoldState, space: SortSpace): void {
  const { group, nodes } = state
  for (let n = 0; n < c.count; n += 1) normaliseNode(c, at(nodes, n), n)
  if (group.target === c.count) group.promised = group.sincePromise = 0
  let epochs = 1 << group.epoch
  for (const node of nodes) epochs |= 1 << node.running
  epochs &= ~1
  if (hasGaps(epochs)) {
    group.epoch = renamed(epochs, group.epoch)
    for (const node of nodes) node.running = renamed(epochs, node.running)
  }
  if (c.config.symmetric) sortNodes(c, state, space)
}

/** A node that neither runs nor votes: what it remembers of grants and promises no longer matters. */
function normaliseNode(c: HoldContext, node: HoldNode, n: number): void {
  if (c.naive) node.fences = 0
  else node.slowPing = 0
  if (!node.session && !c.config.slowPing) node.slowPing = 0
  if (node.running || node.standing) return
  for (let j = 0; j < c.count; j += 1) if (j !== n) node.grants[j] = NO_GRANT
  if (!node.session && !c.naive) node.leaseAge = noLease(c)
  if (!c.removed.voteWithoutStanding && node.session < SESSION.welcomed) node.fences = 0
}

/** What sorting needs, made once: a search of this policy sorts hundreds of millions of states. */
interface SortSpace {
  readonly keys: Float64Array
  /** Which node comes at each place, and at which place each node comes. */
  readonly order: Int32Array
  readonly place: Int32Array
  readonly old: HoldState
}

/**
 * Reorders the nodes by a key that does not depend on their names (single-view configurations only). Any
 * permutation is sound; a good key makes many states one.
 */
function sortNodes(c: HoldContext, state: HoldState, space: SortSpace): void {
  if (isSorted(c, state, space)) return
  const { order, place, old } = space
  order.forEach((from, to) => {
    place[from] = to
  })
  old.bytes.set(state.bytes)
  const { group } = state
  if (group.owner < c.count) group.owner = place[old.group.owner] as number
  if (group.target < c.count) group.target = place[old.group.target] as number
  group.promised = moved(place, old.group.promised)
  for (let to = 0; to < c.count; to += 1) {
    const [source, target] = [at(old.nodes, order[to] as number), at(state.nodes, to)]
    target.fields.set(source.fields)
    target.fences = moved(place, source.fences)
    for (let j = 0; j < c.count; j += 1)
      target.grants[place[j] as number] = source.grants[j] as number
  }
}

/** Fills in keys and order; equal keys keep their order. */
function isSorted(c: HoldContext, state: HoldState, { keys, order }: SortSpace): boolean {
  let sorted = true
  for (let n = 0; n < c.count; n += 1) {
    const key = sortKey(c, state, n)
    keys[n] = key
    let to = n
    for (; to > 0 && (keys[order[to - 1] as number] as number) > key; to -= 1) {
      order[to] = order[to - 1] as number
      sorted = false
    }
    order[to] = n
  }
  return sorted
}

function moved(place: Int32Array, set: number): number {
  let result = 0
  for (let n = 0; n < place.length; n += 1) if (has(set, n)) result |= 1 << (place[n] as number)
  return result
}

function sortKey(c: HoldContext, { group, nodes }: HoldState, n: number): number {
  const node = at(nodes, n)
  const names = (group.owner === n ? 1 : 0) + (group.target === n ? 2 : 0)
  let key = names + (has(group.promised, n) ? 4 : 0)
  for (let i = 0; i < SORTED_BY.length; i += 1)
    key = key * 5 + (node.fields[SORTED_BY[i] as number] as number)
  let [row, column] = [0, 0]
  for (let j = 0; j < c.count; j += 1) {
    if (j === n) continue
    row += 1 << (2 * (node.grants[j] as number))
    column += 1 << (2 * (at(nodes, j).grants[n] as number))
  }
  return ((key * 64 + row) * 64 + column) * 4 + members(node.fences)
}

export const isMember = (c: HoldContext, view: number, n: number) => has(at(c.views, view), n)

/** H3: a node may go on without the object while grants of a majority of its view stand. */
export function mayHold(c: HoldContext, s: HoldState, n: number): boolean {
  const node = at(s.nodes, n)
  if (!isMember(c, node.viewHeld, n)) return false
  let votes = 1
  for (let j = 0; j < c.count; j += 1) {
    const fresh = (node.grants[j] as number) <= MESH
    if (j !== n && fresh && isMember(c, node.viewHeld, j)) votes += 1
  }
  return votes >= (c.removed.holdMinority ? 1 : at(c.majorities, node.viewHeld))
}

export const leaseValid = (node: HoldNode) => node.leaseAge <= LEASE

export const inStanding = (c: HoldContext, s: HoldState, n: number) =>
  leaseValid(at(s.nodes, n)) || mayHold(c, s, n)

/**
 * H6, H9: can `h` gather no majority, in any view that it may be using, from nodes that have neither
 * promised nor been Down for long enough?
 */
export function isBlocked(c: HoldContext, s: HoldState, h: number, promised: number): boolean {
  let gone = promised
  s.nodes.forEach((node, j) => {
    if (j !== h && !node.up && !node.objectSession && node.objectAge >= meshWait(c)) gone |= 1 << j
  })
  const first = c.removed.latestViewOnly ? s.group.view : at(s.nodes, h).viewKnown
  for (let view = first; view <= s.group.view; view += 1)
    if (members(at(c.views, view) & ~gone) >= at(c.majorities, view)) return false
  return true
}
