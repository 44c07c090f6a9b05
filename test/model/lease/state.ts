/** Leases, sessions and commands: what one state holds. */
import { at, range, record } from '../record.ts'
import type { State } from '../stepper.ts'

/**
 * `phase`: see PHASE. `uncommitted` (only without C4): 1 + the node that an update was sent to before its
 * commit. An `owner` that is the number of nodes is nobody.
 */
const GROUP = record(['owner', 'epoch', 'phase', 'uncommitted'])

export const PHASE = { free: 0, placed: 1, online: 2, leaving: 3, offlineSent: 4 } as const

/**
 * What the object knows of a node, then what the node knows.
 *
 * - `lastSession`: the newest session number. `objectSession`: see SESSION, as the object sees it.
 * - `answerKnown`, `answerAge`: the time of the last answered ping (D2), in ticks of the object's clock.
 * - `confirmAge`: since the object's last confirm, or since D5.
 * - `ghost`: the session of a socket that a replaced instance, or a closing one, still answers pings on.
 * - `session`, `sessionState`: as the node sees it.
 * - `pongAge`, `authorityAge`: ages of the two leases, measured from the send (L1).
 * - `paused`: the agent stands still. `ping`: see PING, with its age and session.
 * - `noted` (only without D2): 1 + the age that was read before the close.
 */
const NODE = record([
  'up',
  'lastSession',
  'objectSession',
  'answerKnown',
  'answerAge',
  'confirmAge',
  'ghost',
  'session',
  'sessionState',
  'pongAge',
  'authorityAge',
  'paused',
  'ping',
  'pingAge',
  'pingSession',
  'noted',
])

export const SESSION = { none: 0, challenged: 1, welcomed: 2 } as const
export const PING = { none: 0, underWay: 1, answered: 2 } as const

/**
 * What a node has of one group: `running`, see RUNS, at `runningEpoch`; the epoch of its `grant`; the
 * `highest` epoch it has seen (C2); a start that is `pending` (only without G2); and what the replica or the
 * missed updates say to it (`replica`, only without U1 or U2).
 */
const HELD = record(['running', 'runningEpoch', 'grant', 'highest', 'pending', 'replica'])

export const RUNS = { no: 0, yes: 1, lapsing: 2, stopping: 3 } as const

/**
 * `boot` of the host, `hiveBoot` that the object has for it, the boot a fence request is out for
 * (`fenceAsked`), the boot a result under way is about (`fenceResult`), and whether one is waited for.
 */
const FENCE = record(['boot', 'hiveBoot', 'fenceAsked', 'fenceResult', 'fenceOpen'])

export const MESSAGE = {
  none: 0,
  challenge: 1,
  welcome: 2,
  online: 3,
  offline: 4,
  report: 5,
  ackOnline: 6,
  ackOffline: 7,
  offer: 8,
  accept: 9,
} as const

/** Messages in flight, each way and for each node. */
export const QUEUE = 2
const MESSAGE_SIZE = 3

/**
 * Messages of one direction, oldest first. In one session they stay in order; those of different
 * sessions may overtake each other (A4). Each has a kind with a number (a group, or the boot of a
 * report), its session, and four bits of epoch for each group.
 */
export class Queue {
  readonly #bytes: Uint8Array
  readonly #at: number

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes
    this.#at = start
  }

  kind(k: number): number {
    return this.#byte(k, 0) & 15
  }

  /** The group, or the boot of a report. */
  subject(k: number): number {
    return this.#byte(k, 0) >> 4
  }

  session(k: number): number {
    return this.#byte(k, 1)
  }

  epochs(k: number): number {
    return this.#byte(k, 2)
  }

  get full(): boolean {
    return this.kind(QUEUE - 1) !== MESSAGE.none
  }

  push(kind: number, subject: number, session: number, epochs: number): void {
    for (let k = 0; k < QUEUE; k += 1)
      if (this.kind(k) === MESSAGE.none) return this.#set(k, kind | (subject << 4), session, epochs)
  }

  remove(k: number): void {
    for (let i = k; i < QUEUE - 1; i += 1)
      this.#set(i, this.#byte(i + 1, 0), this.#byte(i + 1, 1), this.#byte(i + 1, 2))
    this.#set(QUEUE - 1, 0, 0, 0)
  }

  isFirstOfSession(k: number): boolean {
    for (let i = 0; i < k; i += 1) if (this.session(i) === this.session(k)) return false
    return true
  }

  rename(k: number, subject: number, session: number, epochs: number): void {
    this.#set(k, this.kind(k) | (subject << 4), session, epochs)
  }

  #byte(k: number, index: number): number {
    return this.#bytes[this.#at + MESSAGE_SIZE * k + index] as number
  }

  #set(k: number, head: number, session: number, epochs: number): void {
    const start = this.#at + MESSAGE_SIZE * k
    this.#bytes[start] = head
    this.#bytes[start + 1] = session
    this.#bytes[start + 2] = epochs
  }
}

/** The epoch of one group in a message, and a message's epochs with one group's epoch in them. */
export const epochOf = (epochs: number, group: number) => (epochs >> (4 * group)) & 15
export const withEpoch = (group: number, epoch: number) => epoch << (4 * group)

export type Group = ReturnType<typeof GROUP.on>
export type Held = ReturnType<typeof HELD.on>

export type Node = ReturnType<typeof NODE.on> & {
  readonly held: readonly Held[]
  readonly toNode: Queue
  readonly toObject: Queue
  readonly fence: ReturnType<typeof FENCE.on>
}

export interface LeaseState extends State {
  readonly groups: readonly Group[]
  readonly nodes: readonly Node[]
  /** The bytes of each node, to compare and exchange whole nodes. */
  readonly spans: readonly Uint8Array[]
}

export function stateOf(nodeCount: number, groupCount: number): LeaseState {
  const queueSize = QUEUE * MESSAGE_SIZE
  const heldSize = groupCount * HELD.size
  const nodeSize = NODE.size + heldSize + 2 * queueSize + FENCE.size
  const firstNode = groupCount * GROUP.size
  const bytes = new Uint8Array(firstNode + nodeCount * nodeSize)
  const nodes = range(nodeCount, (n): Node => {
    const start = firstNode + n * nodeSize
    const heldStart = start + NODE.size
    const queues = heldStart + heldSize
    return Object.assign(NODE.on(bytes, start), {
      held: range(groupCount, (g) => HELD.on(bytes, heldStart + g * HELD.size)),
      toNode: new Queue(bytes, queues),
      toObject: new Queue(bytes, queues + queueSize),
      fence: FENCE.on(bytes, queues + 2 * queueSize),
    })
  })
  const spans = range(nodeCount, (n) =>
    bytes.subarray(firstNode + n * nodeSize, firstNode + (n + 1) * nodeSize),
  )
  return { bytes, groups: range(groupCount, (g) => GROUP.on(bytes, g * GROUP.size)), nodes, spans }
}

/** Runs, may be restarted, or is about to be started. */
export const holdsAny = (node: Node) =>
  node.held.some((held) => held.running || held.grant || held.pending)

export const held = (node: Node, group: number): Held => at(node.held, group)
