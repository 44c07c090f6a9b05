import type { LossEvidence } from '../schema/event.ts'
import { LIMITS } from '../schema/limits.ts'
import { CLOSE } from '../schema/session.ts'
import type { HiveStore } from './hive-store.ts'
import { isVouched, Liveness, suspicionMs } from './liveness.ts'
import type { Sockets, Welcomed } from './sockets.ts'

export interface LossDeps {
  readonly ctx: DurableObjectState
  readonly store: HiveStore
  readonly sockets: Sockets
  /** When something else than a session has to be looked at. */
  deadline(): number | null
  /** Of these sessions, nodes that other ones hear now (S-17). */
  vouchedFor(open: readonly Welcomed[], nowMs: number): ReadonlySet<string>
  /** For each node the names of those that still hear it: evidence. */
  heardBy(): ReadonlyMap<string, readonly string[]>
  /** What is shown of a node's session is another than before. */
  changed(): void
  /** Strictly more than W may have passed: the core checks it (D3). */
  tryLost(nodeId: string, evidence: LossEvidence): void
  /** An Up node has no session: fencing may have something to do. */
  suspected(nodeId: string, cause: 'socketClosed' | 'silent' | 'restart'): void
}

/**
 * Watches over sessions (rules D1 to D6): closes what fell silent, and measures the wait until a
 * node may be declared Down. Does not need the hive: closes and alarms are many, losses few.
 */
export class LossWatch {
  readonly #deps: LossDeps
  readonly #live = new Liveness()
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  /** Open sessions that a peer has doubts about, each until its suspicion deadline. */
  readonly #doubts = new Map<string, ReturnType<typeof setTimeout>>()
  #alarmAt: number | null = null

  constructor(deps: LossDeps) {
    this.#deps = deps
  }

  /** D5: "now" is read after the first storage write of this instance is durable. */
  async begin(missing: readonly string[]): Promise<void> {
    this.#log(`start: ${missing.length} nodes that were up have no open session`)
    await this.#deps.ctx.storage.sync()
    this.#live.beginGrace(Date.now())
  }

  confirmed(nodeId: string): void {
    this.#live.confirmed(nodeId, Date.now())
  }

  welcomed(nodeId: string): void {
    this.#live.welcomed(nodeId)
    this.#clearTimer(nodeId)
  }

  /** The hive no longer has it Up. */
  forget(nodeId: string): void {
    this.#live.forget(nodeId)
    this.#clearTimer(nodeId)
  }

  /** Its socket closed while its report was on the way: it is Up, and lost as from now. */
  lostBeforeWelcome(nodeId: string): void {
    const nowMs = Date.now()
    const never = { nodeId, welcomedMs: nowMs, lastAnswerMs: null }
    this.#live.closed(never, nowMs, 'socketClosed', this.#deps.store.timing(), null)
    this.waitFor(nodeId)
    this.#suspect(nodeId, 'socketClosed')
  }

  /** D1, D2: the socket is closed, and the last answer's time read in the same step. */
  closed(ws: WebSocket, cause: 'socketClosed' | 'silent'): void {
    const { sockets, store } = this.#deps
    const a = sockets.attachment(ws)
    if (cause === 'silent')
      sockets.close(ws, CLOSE.suspected, { code: 'suspected', detail: 'no ping in time' })
    // S5: a challenge that was never answered changes nothing of what is known of the node.
    if (a?.phase !== 'welcomed') return
    const open = sockets.open(ws, a)
    sockets.attach(ws, { ...a, phase: 'challenged' })
    // A newer welcomed session of the node stands: this close says nothing.
    if (sockets.welcomed(a.nodeId) || this.#live.isLost(a.nodeId)) return
    const nowMs = Date.now()
    const freshest = this.#freshest()
    this.#live.closed(open, nowMs, cause, store.timing(), freshest)
    const name = store.session(a.nodeId)?.name ?? a.nodeId
    const age = open.lastAnswerMs === null ? 'never' : `${nowMs - open.lastAnswerMs} ms ago`
    this.#log(`node ${name}: session ${a.session} lost (${cause}, last answer ${age})`)
    this.waitFor(a.nodeId)
    this.arm()
    // Frozen and awake again it would find everybody silent: then all get the time to come back.
    this.#suspect(a.nodeId, isVouched(freshest, nowMs, store.timing()) ? cause : 'restart')
  }

  /** D1, F4: its boot is said to be over, and is decided on next. */
  close(nodeId: string): void {
    const { sockets, store } = this.#deps
    for (const ws of sockets.of(nodeId)) {
      const a = sockets.attachment(ws)
      if (!a) continue
      const open = sockets.open(ws, a)
      sockets.attach(ws, { ...a, phase: 'challenged' })
      sockets.close(ws, CLOSE.fenced, { code: 'fenced', detail: 'this boot is said to be over' })
      if (a.phase === 'welcomed' && !this.#live.isLost(nodeId))
        this.#live.closed(open, Date.now(), 'socketClosed', store.timing(), this.#freshest())
    }
    this.waitFor(nodeId)
  }

  #suspect(nodeId: string, cause: 'socketClosed' | 'silent' | 'restart'): void {
    const { store, suspected } = this.#deps
    if (store.session(nodeId)?.up === 1 && store.hasFencing()) suspected(nodeId, cause)
  }

  /** Those that are Up and have no session, after a restart or when fencing was set up. */
  suspectMissing(): void {
    const { sockets, store } = this.#deps
    for (const nodeId of store.nodesUp())
      if (!sockets.welcomed(nodeId)) this.#suspect(nodeId, 'restart')
  }

  /**
   * A peer no longer hears it, or hears that it is not answered (S-17). That decides nothing: its
   * session is looked at when it is due, as by the alarm, which may be late or stand far off.
   */
  doubted(nodeId: string): void {
    const { sockets, store } = this.#deps
    const session = sockets.welcomed(nodeId)
    this.arm()
    if (!session || this.#doubts.has(nodeId)) return
    const due = suspicionMs(sockets.open(session.ws, session.attachment), store.timing())
    const timer = setTimeout(
      () => {
        this.#doubts.delete(nodeId)
        this.#lookAt(nodeId)
      },
      Math.max(0, due - Date.now()) + 1,
    )
    this.#doubts.set(nodeId, timer)
  }

  #lookAt(nodeId: string): void {
    const { sockets, store } = this.#deps
    const session = sockets.welcomed(nodeId)
    if (!session) return
    const open = sockets.open(session.ws, session.attachment)
    if (suspicionMs(open, store.timing()) > Date.now()) return
    this.closed(session.ws, 'silent')
    this.#deps.changed()
  }

  /** For people: since when a node that has no session has not been answered; null if not known. */
  silentForMs(nodeId: string): number | null {
    const evidence = this.#live.isLost(nodeId) ? this.#live.evidence(nodeId, Date.now()) : null
    return evidence?.path === 'pong' ? Math.max(0, Date.now() - evidence.lastAnswerMs) : null
  }

  /** When any session that is open now was last answered. */
  #freshest(): number | null {
    const { sockets } = this.#deps
    const answers = sockets.allWelcomed().map(({ ws, attachment }) => {
      const open = sockets.open(ws, attachment)
      return Math.max(open.lastAnswerMs ?? 0, open.welcomedMs)
    })
    return answers.length > 0 ? Math.max(...answers) : null
  }

  /** D6: a timer of this instance measures the wait; the alarm is only the second line. */
  waitFor(nodeId: string): void {
    this.#clearTimer(nodeId)
    const { store } = this.#deps
    const session = store.session(nodeId)
    // D3 is closed to a node that goes on after its lease: no wait says that it has ended.
    if (session?.up !== 1 || session.underFence === 1) return
    const ms = this.#live.remainingMs(nodeId, Date.now(), store.timing())
    if (ms === null) return
    const timer = setTimeout(() => {
      this.#timers.delete(nodeId)
      this.#live.timerFired(nodeId, ms)
      this.#tryLost(nodeId)
    }, ms)
    this.#timers.set(nodeId, timer)
  }

  #tryLost(nodeId: string): void {
    if (this.#deps.sockets.welcomed(nodeId)) return
    const waited = this.#live.evidence(nodeId, Date.now())
    if (!waited) return
    const names = (this.#deps.heardBy().get(nodeId) ?? []).join(', ')
    const heardBy = names.slice(0, LIMITS.detailLengthMax)
    const evidence: LossEvidence = heardBy === '' ? waited : { ...waited, heardBy }
    this.#deps.tryLost(nodeId, evidence)
    // Not long enough after all (a clock that stepped back): wait for the rest.
    this.waitFor(nodeId)
  }

  /** The alarm has fired: whoever has not been answered for TTL is suspect, and closed. */
  fired(): void {
    this.#alarmAt = null
    const nowMs = Date.now()
    const { sockets, store } = this.#deps
    const timing = store.timing()
    for (const { ws, attachment } of sockets.allWelcomed())
      if (suspicionMs(sockets.open(ws, attachment), timing) <= nowMs) this.closed(ws, 'silent')
    // The second line: an Up node without a session is always waited for, whatever went wrong.
    for (const nodeId of store.nodesUp()) {
      if (this.#timers.has(nodeId) || sockets.welcomed(nodeId)) continue
      this.#live.beginGrace(nowMs)
      this.waitFor(nodeId)
    }
  }

  /**
   * At the earliest suspicion deadline or other deadline. Late is harmless, early too: a node
   * that others hear is looked at once a minute, for it is they who say when they no longer do (S-17).
   */
  arm(): void {
    const { sockets, store, ctx } = this.#deps
    const timing = store.timing()
    let at = this.#deps.deadline() ?? Number.POSITIVE_INFINITY
    const nowMs = Date.now()
    const open = sockets.allWelcomed()
    const vouched = this.#deps.vouchedFor(open, nowMs)
    for (const { ws, attachment } of open) {
      const due = suspicionMs(sockets.open(ws, attachment), timing)
      const quiet = vouched.has(attachment.nodeId) && due > nowMs
      at = Math.min(at, quiet ? nowMs + LIMITS.quietAlarmMs : due)
    }
    // A node that is waited for without a session: wake for it even if this instance goes away.
    if (this.#timers.size > 0) at = Math.min(at, nowMs + timing.ttlMs)
    if (!Number.isFinite(at)) return
    // An alarm that stands a little earlier will do: each setAlarm is a write.
    if (this.#alarmAt !== null && this.#alarmAt <= at && this.#alarmAt > nowMs) return
    this.#alarmAt = at
    void ctx.storage.setAlarm(at)
  }

  #clearTimer(nodeId: string): void {
    clearTimeout(this.#timers.get(nodeId))
    this.#timers.delete(nodeId)
  }

  #log(message: string): void {
    const line = { atMs: Date.now(), node: 'control', component: 'NM' as const, message }
    this.#deps.store.appendLog([line])
  }
}
