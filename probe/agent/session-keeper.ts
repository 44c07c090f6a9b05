/**
 * The one session with the control plane (S1 to S3): opened again whenever it ends, with numbered
 * reports that are kept until they are durable there (S-16), and the two leases (L1 to L3).
 */
import type { Refusal } from '../../schema/errors.ts'
import type { FenceOrder } from '../../schema/fencing.ts'
import type { AgentToGuard } from '../../schema/ipc.ts'
import type { LocalIntent, LogEntry, ObjectFrame, StatusItem } from '../../schema/session.ts'
import type { Timing } from '../../schema/timing.ts'
import { unreachable } from '../../schema/unreachable.ts'
import { PATIENT, refused } from '../core/patience.ts'
import { reconnectDelayMs } from '../core/reconnect.ts'
import { ClusterClock } from './cluster-clock.ts'
import type { Identity } from './identity.ts'
import type { Link } from './link.ts'
import type { ModuleFrame } from './module-desk.ts'
import { Outbox } from './outbox.ts'
import type { PeerListen } from './peer-listen.ts'
import { Peers } from './peers.ts'
import { refusedByBye } from './refused.ts'
import { type Report, Reports } from './reports.ts'
import { logLine, openLink, reportFrame } from './session-words.ts'
import { Standstill } from './standstill.ts'

/** A session that ends sooner than this after its welcome was no success: it may be our own doing. */
const LASTING_MS = 3_000

type FrameOf<T extends ObjectFrame['t']> = Extract<ObjectFrame, { t: T }>

interface Session {
  readonly number: number
  readonly nonce: string
  /** Of the control plane. */
  readonly protocol: number
  /** Set by the welcome: only updates behind it are permission (U2). */
  seqW: number | null
  welcomedMs: number
  /** Local changes that its report told of. */
  intents: readonly LocalIntent[]
}

export interface SessionEvents {
  toGuard(frame: AgentToGuard): void
  /** Its leases run from now on; what was told before and is not durable has been sent again. */
  welcomed(intents: readonly LocalIntent[]): void
  snapshot(frame: FrameOf<'snapshot'>): void
  updates(frame: FrameOf<'updates'>): void
  offer(frame: FrameOf<'offer'>): void
  /** The hive has these local changes, or has decided otherwise. */
  intentsTaken(intents: readonly LocalIntent[]): void
  fence(order: FenceOrder): void
  /** Types and module files (S-55, S-56). */
  module(frame: ModuleFrame): void
  control(frame: FrameOf<'control'>): void
  couldTake(frame: FrameOf<'couldTake'>): void
  bye(code: string, detail: string): void
  /** The name of a node, or its id while it is not known. */
  nodeName(nodeId: string): string
  /** Something of `problem`, `number` or `seqW` is another than before. */
  changed(): void
}

export class SessionKeeper {
  readonly #identity: Identity
  readonly #events: SessionEvents
  readonly #reports = new Reports()
  readonly #outbox = new Outbox({
    status: (items) => this.tell({ t: 'status', items }),
    log: (entries) => {
      if (this.seqW !== null)
        this.#link?.send({ t: 'log', entries: this.#clock.inClusterTime(entries) })
    },
  })
  readonly #clock = new ClusterClock((clock) => this.answer({ t: 'clock', clock }))
  #link: Link | null = null
  #session: Session | null = null
  #timing: Timing | null = null
  #failures = 0
  #leaseLeftUntil = 0
  #patience = PATIENT
  #problem = ''
  readonly #peers: Peers
  readonly #standstill = new Standstill(
    (entries) => {
      if (this.seqW === null) return false
      this.log(entries)
      return true
    },
    () => this.#events.changed(),
  )

  constructor(identity: Identity, listen: PeerListen, events: SessionEvents) {
    this.#identity = identity
    this.#events = events
    const { clusterId, nodeId } = identity.file
    this.#peers = new Peers({
      clusterId,
      nodeId,
      listen,
      answered: () => this.#isAnswered(),
      tell: (frame) => this.answer(frame),
      nameOf: (id) => events.nodeName(id),
      log: (message) => this.log([logLine('COMM', message)]),
      changed: () => events.changed(),
    })
  }

  /** For `holdfast-probe status` (S-17). */
  get seen() {
    return { peers: this.#peers.info(), stoodStill: this.#standstill.info, clock: this.#clock.info }
  }

  stoodStill(who: 'guard', ms: number): void {
    this.#standstill.noticed(who, ms)
  }

  /** S-17: told to the peers, so that one that is cut off from the control plane is not vouched for. */
  #isAnswered(): boolean {
    if (this.seqW === null || this.#link === null || !this.#timing) return false
    return this.#link.unansweredMs <= 2 * this.#timing.pingMs
  }

  /** The welcome's `seq`, or null while there is no welcomed session. */
  get seqW(): number | null {
    return this.#session?.seqW ?? null
  }

  get number(): number | null {
    return this.#session?.number ?? null
  }

  /** Why there is no session, or ''. */
  get problem(): string {
    return this.seqW === null ? this.#problem : ''
  }

  /** Whether somebody keeps trying already. */
  get begun(): boolean {
    return this.#link !== null
  }

  /** S1: at most one socket; the old one is closed before a new one is opened. */
  connect(): void {
    if (this.#link) return
    this.#link = openLink(this.#identity, {
      reachedFrom: (address) => this.#peers.reachedFrom(address),
      frame: (frame) => this.#frame(frame),
      ticked: (everyMs) => this.#standstill.look(everyMs),
      closed: (why, answer) => {
        if (answer?.lastAttempt != null) this.#identity.attemptSeen(answer.lastAttempt)
        if (answer) this.#refused(answer.refusal)
        this.#closed(why)
      },
      renewed: (lease, sentAtMs) => this.#renewed(lease, sentAtMs),
      sampled: (sample) => this.#clock.sampled(sample),
    })
  }

  close(why: string): void {
    this.#link?.close(why)
  }

  /** S3: made by the guard after the challenge of this session. @returns whether it was sent */
  report(session: number, told: Parameters<typeof reportFrame>[2]): boolean {
    if (this.#session?.number !== session) return false
    this.#session.intents = told.intents
    this.#link?.send(reportFrame(this.#identity, this.#session, told))
    return true
  }

  /** Worthless on any other session: an answer to an offer (O2), a word about a peer (S-17). */
  answer(frame: Parameters<Link['send']>[0]): void {
    this.#link?.send(frame)
  }

  tell(report: Report): void {
    // Reports keep their order: what was gathered before goes first.
    if (report.t !== 'status') this.#outbox.flushStatus()
    const frame = this.#reports.add(report)
    if (this.seqW !== null) this.#link?.send(frame)
  }

  /** Kept by the caller until it is known to be durable; told by the next report if not now. */
  tellIntent(intent: LocalIntent): void {
    if (this.seqW !== null) this.tell({ t: 'intent', ...intent })
  }

  status(items: readonly StatusItem[]): void {
    this.#outbox.status(items)
  }

  flushStatus(): void {
    this.#outbox.flushStatus()
  }

  dropStatus(resourceId: string): void {
    this.#outbox.drop(resourceId)
  }

  log(entries: readonly LogEntry[]): void {
    this.#outbox.log(entries)
  }

  #closed(why: string): void {
    this.#link = null
    const { welcomedMs } = this.#session ?? { welcomedMs: 0 }
    if (welcomedMs > 0 && performance.now() - welcomedMs > LASTING_MS) this.#failures = 0
    if (this.#session) this.#events.toGuard({ t: 'sessionClosed', session: this.#session.number })
    this.#session = null
    this.#peers.closed()
    this.#standstill.look(null)
    if (why !== this.#problem) process.stderr.write(`holdfast agent: session: ${why}\n`)
    this.#problem = why
    const left = this.#leaseLeftUntil - performance.now()
    const delay = reconnectDelayMs(this.#failures, left, Math.random())
    this.#failures += 1
    setTimeout(() => this.connect(), delay)
    this.#events.changed()
  }

  /** What time can mend is tried again for ever; what it cannot is given up after a while. */
  #refused(refusal: Refusal): void {
    const { patience, giveUp } = refused(this.#patience, refusal, performance.now())
    this.#patience = patience
    if (giveUp) this.#events.toGuard({ t: 'fatal', refusal })
  }

  #frame(frame: ObjectFrame): void {
    switch (frame.t) {
      case 'challenge': {
        const { session: number, nonce, protocol } = frame
        this.#session = { number, nonce, protocol, seqW: null, welcomedMs: 0, intents: [] }
        // S3: the report is made by the guard, after the challenge.
        this.#events.toGuard({ t: 'challenge', session: number })
        break
      }
      case 'welcome':
        this.#welcomed(frame)
        break
      case 'snapshot':
        this.#events.snapshot(frame)
        break
      case 'updates':
        this.#events.updates(frame)
        break
      case 'offer':
        this.#events.offer(frame)
        break
      case 'ack':
        this.#events.intentsTaken(this.#reports.acked(frame.n).filter((r) => r.t === 'intent'))
        break
      case 'policy':
        if (this.#session?.seqW != null)
          this.#events.toGuard({ t: 'policy', session: this.#session.number, policy: frame.policy })
        break
      case 'fence':
        // C1: an order counts on the welcomed session only.
        if (this.seqW !== null) this.#events.fence(frame.order)
        break
      case 'typeAnswer':
      case 'moduleWanted':
      case 'module':
        this.#events.module(frame)
        break
      case 'couldTake':
        if (this.seqW !== null) this.#events.couldTake(frame)
        break
      case 'control':
        if (this.seqW !== null) this.#events.control(frame)
        break
      case 'peers':
        this.#peers.table(frame)
        break
      case 'bye':
        this.#bye(frame.code, frame.detail)
        break
      case 'confirmed':
        break
      default:
        unreachable(frame)
    }
    this.#events.changed()
  }

  #welcomed(frame: FrameOf<'welcome'>): void {
    const session = this.#session
    if (session?.number !== frame.session) return
    session.seqW = frame.seq
    session.welcomedMs = performance.now()
    this.#problem = ''
    this.#patience = PATIENT
    this.#timing = frame.timing
    const { session: number, timing, policy } = frame
    this.#events.toGuard({ t: 'welcomed', session: number, timing, policy })
    this.#clock.welcomed(frame.nowMs)
    this.#link?.startLeases(frame.timing, frame.nowMs - Date.now())
    for (const report of this.#reports.pending()) this.#link?.send(report)
    this.#peers.welcomed(frame.session, frame.timing)
    this.#standstill.flush()
    this.#events.welcomed(session.intents)
  }

  #renewed(lease: 'pong' | 'authority', sentAtMs: number): void {
    if (this.#session?.seqW == null || !this.#timing) return
    if (lease === 'pong')
      this.#leaseLeftUntil = performance.now() + this.#timing.ttlMs - this.#timing.stopMs
    this.#events.toGuard({ t: 'renewed', session: this.#session.number, lease, sentAtMs })
  }

  #bye(code: string, detail: string): void {
    process.stderr.write(`holdfast agent: the control plane ends the session: ${code}: ${detail}\n`)
    this.#events.bye(code, detail)
    const refusal = refusedByBye(code, detail)
    if (refusal) this.#refused(refusal)
    this.#link?.close(`${code}: ${detail}`)
  }
}
