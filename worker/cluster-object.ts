/**
 * The Durable Object of one cluster: the shell around `step`. It translates and orders, and decides
 * nothing: decide → commit in one transaction → send → arm the alarm.
 */
import { DurableObject } from 'cloudflare:workers'
import { migrate } from 'drizzle-orm/durable-sqlite/migrator'
import type { Refusal } from '../schema/errors.ts'
import type { Event } from '../schema/event.ts'
import { applyObservation } from '../schema/observed.ts'
import { CLOSE } from '../schema/session.ts'
import { applyUpdate } from '../schema/update.ts'
import { aside } from './aside.ts'
import { ClusterLife } from './cluster-life.ts'
import { type ApplyAsk, Configurations, type PlanAsk } from './configurations.ts'
import { Confirms } from './confirms.ts'
import { type ControlAsk, ControlCodes, type Controlled } from './controls.ts'
import { concernedBy } from './core/communications-manager.ts'
import type { ClusterState, Decision } from './core/decision.ts'
import { nextPhase, type StartPhase } from './core/event-processor.ts'
import { saysOver } from './core/fencing.ts'
import { step } from './core/step.ts'
import { coreDeadline } from './core-deadline.ts'
import { DELETED, NEEDS_CLUSTER, onlyWhileThere } from './deleted.ts'
import { sendEffect } from './effects.ts'
import { FenceTests, type Tested } from './fence-tests.ts'
import migrations from './hive-migrations/migrations.js'
import { type Also, HiveStore } from './hive-store.ts'
import { linesOf } from './log-lines.ts'
import { LossWatch } from './loss-watch.ts'
import { ModuleRelay } from './module-relay.ts'
import { MoveChecks, type Target } from './move-checks.ts'
import { parseFrame } from './node-frames.ts'
import { NodeInbox } from './node-inbox.ts'
import { type AnswerTo, ObjectReads, type Read, type Waiter } from './object-reads.ts'
import { OperatorRequests } from './operator-requests.ts'
import { Peers } from './peers.ts'
import { NO_CLUSTER, refusedSession } from './session-auth.ts'
import { openSession } from './session-door.ts'
import { Sockets } from './sockets.ts'
import { SoonTimer, soonest } from './soon-timer.ts'
import { Survivability } from './survivability.ts'
import { outagesOf } from './timeline-reads.ts'
import { WATCH_PATH, Watchers } from './watchers.ts'
import { type ReplayAsk, type ReplayFor, Webhooks, type WebhooksAsk } from './webhooks/webhooks.ts'
import { welcomeSession } from './welcome.ts'
import type { Asked, Before, Write } from './write.ts'
import { Writes } from './writes.ts'

export class Cluster extends DurableObject<Env> {
  readonly #store: HiveStore
  readonly #sockets: Sockets
  readonly #reads: ObjectReads
  readonly #watch: LossWatch
  readonly #confirms: Confirms
  readonly #peers: Peers
  readonly #watchers: Watchers
  readonly #fenceTests: FenceTests
  readonly #controls: ControlCodes
  readonly #moveChecks: MoveChecks
  readonly #life: ClusterLife
  readonly #config: Configurations
  readonly #losses: Survivability
  readonly #modules: ModuleRelay
  readonly #inbox: NodeInbox
  readonly #writes: Writes
  readonly #requests: OperatorRequests
  readonly #webhooks: Webhooks
  readonly #phases: StartPhase[] = []
  readonly #coreDeadline = () => coreDeadline(this.#store, this.#state, () => this.#loaded())
  readonly #soon = new SoonTimer(this.#coreDeadline, () => void this.#handle({ type: 'woke' }))
  #state: (ClusterState & { hash: string }) | null = null
  /** There is nothing in its storage. */
  #vacant = false

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const state = () => this.#loaded()
    this.#store = new HiveStore(ctx.storage, env.USAGE !== 'off')
    this.#sockets = new Sockets(ctx, this.#store)
    this.#writes = new Writes(ctx.storage, this.#store, state)
    const [store, sockets, writes] = [this.#store, this.#sockets, this.#writes]
    this.#webhooks = new Webhooks({ ctx, env, store, writes, state, arm: () => this.#watch.arm() })
    this.#peers = new Peers(store, sockets, (nodeId) => this.#watch.doubted(nodeId))
    const hears = {
      heardBy: () => this.#peers.heardBy(),
      silentForMs: (nodeId: string) => this.#watch.silentForMs(nodeId),
    }
    this.#reads = new ObjectReads(store, sockets, hears, state)
    this.#watchers = new Watchers(ctx, this.#reads)
    this.#watch = new LossWatch({
      ...{ ctx, store, sockets },
      deadline: () => soonest(this.#coreDeadline(), this.#webhooks.dueMs()),
      vouchedFor: (open, nowMs) => this.#peers.vouchedFor(open, nowMs),
      heardBy: hears.heardBy,
      changed: () => this.#watchers.tell(true),
      tryLost: (nodeId, evidence) => void this.#handle({ type: 'nodeLost', nodeId, evidence }),
      suspected: (nodeId, cause) => void this.#handle({ type: 'nodeSuspected', nodeId, cause }),
    })
    this.#fenceTests = new FenceTests(sockets, state)
    this.#controls = new ControlCodes(sockets, store, state)
    this.#moveChecks = new MoveChecks(sockets, state)
    this.#life = new ClusterLife({
      ...{ store, writes, state },
      handle: (event) => this.#handle(event),
      carry: (...all) => this.#carry(...all),
      forget: () => {
        this.#state = null
      },
    })
    this.#requests = new OperatorRequests({
      ...{ store, sockets, writes, state },
      handle: (event, also) => this.#handle(event, also),
      suspectMissing: () => this.#watch.suspectMissing(),
    })
    this.#config = new Configurations({
      state,
      carryOut: (...all) => this.#requests.ask(...all),
      nothing: (write, body) => this.#requests.nothing(write, body),
      outagesOf: (group) => outagesOf(this.#store, this.#loaded(), group),
    })
    this.#losses = new Survivability({ state, progress: () => this.#reads.progress().observed })
    this.#modules = new ModuleRelay({
      ...{ sockets, state },
      carryOut: (request, write) => this.#requests.ofHost(request, write),
    })
    this.#confirms = new Confirms(ctx.storage, store, sockets, (id) => this.#watch.confirmed(id))
    this.#inbox = new NodeInbox({
      ...{ store, sockets, state, confirms: this.#confirms, peers: this.#peers },
      ...{ modules: this.#modules, fenceTests: this.#fenceTests, controls: this.#controls },
      ...{ moveChecks: this.#moveChecks, watch: this.#watch, watchers: this.#watchers },
      handle: (event, also) => this.#handle(event, also),
      logged: () => this.#reads.wakeWaiters(),
    })
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'))
    void ctx.blockConcurrencyWhile(() => this.#start())
  }

  // ── Start-up (S-08) ──────────────────────────────────────────────────────────────────────────

  /** A wake after hibernation finds its sockets and needs neither the hive nor the grace. */
  async #start(): Promise<void> {
    this.#enter('openStore')
    // Whoever knocks where there is no cluster, or no more, leaves nothing behind.
    this.#vacant = !this.#store.exists
    if (this.#vacant) return
    await this.#openStore()
    this.#webhooks.wake()
    const missing = this.#store.nodesUp().filter((id) => !this.#sockets.welcomed(id))
    if (missing.length === 0) return
    this.#enter('loadHive')
    this.#loaded()
    this.#enter('reconcileSessions')
    this.#enter('restartGrace')
    await this.#watch.begin(missing)
    this.#enter('settleGroups')
    this.#handle({ type: 'woke' })
    for (const nodeId of missing) this.#watch.waitFor(nodeId)
    this.#watch.suspectMissing()
    this.#watch.arm()
  }

  async #openStore(mayBegin = true): Promise<void> {
    if (!mayBegin) throw new Error(DELETED)
    await migrate(this.#store.db, migrations)
    this.#vacant = false
  }

  #enter(phase: StartPhase): void {
    if (nextPhase(this.#phases) !== phase) throw new Error(`start-up phase ${phase} out of order`)
    this.#phases.push(phase)
  }

  #loaded(): ClusterState & { hash: string } {
    this.#state ??= this.#store.load()
    return this.#state
  }

  // ── The one way in ───────────────────────────────────────────────────────────────────────────

  /** No `await` before the commit: nothing may run between deciding and recording. */
  #handle(event: Event, asked: Also | null = null): Decision {
    const nowMs = Date.now()
    const state = this.#loaded()
    const over = saysOver(state, event)
    if (over) this.#watch.close(over)
    return this.#carry(event, step(state, event, nowMs), nowMs, asked)
  }

  /** What was decided: committed, applied, and only then sent. */
  #carry(event: Event, decision: Decision, nowMs: number, asked: Also | null): Decision {
    const state = this.#loaded()
    const first = decision.updates[0]?.seq ?? state.hive.seq + 1
    const lines = decision.refused ? [] : linesOf(decision, state.hive, nowMs)
    const also: Also = (made) => {
      asked?.(made)
      this.#webhooks.record(made, state)
    }
    if (lines.length > 0 || decision.observations.length > 0 || (asked && !decision.refused))
      state.hash = this.#store.commit(event, nowMs, decision, state.hash, first, lines, also)
    const tally = aside('counters', () => this.#store.counters.look(state, decision))
    try {
      for (const u of decision.updates) applyUpdate(state.hive, u)
      for (const o of decision.observations) applyObservation(state.observed, o)
    } catch (error) {
      // What is committed is true; memory that could not follow is read anew.
      this.#state = null
      throw error
    }
    if (decision.updates.length > 0) this.#store.boundJournal(state.hive, state.hash)
    this.#send(decision)
    this.#watch.arm()
    this.#soon.arm(this.#coreDeadline())
    // Last: nothing that nodes rely on comes after it.
    const seen = decision.observations.length
    if (decision.updates.length + seen > 0) this.#watchers.tell(seen > 0)
    aside('counters', () => this.#store.counters.write(state, tally, nowMs))
    this.#store.usage.look(this.ctx, this.env.DB, () => state.hive)
    this.#webhooks.behind(tally?.touched ?? new Set())
    return decision
  }

  /** After the commit: effects in their order, then the updates to all (C4). */
  #send(decision: Decision): void {
    const { hive, hash } = this.#loaded()
    for (const u of decision.updates) {
      if (u.change.table !== 'node') continue
      if (u.change.value === null || u.change.value.state === 'down')
        this.#watch.forget(u.change.id)
    }
    for (const effect of decision.effects)
      if (effect.type === 'welcome') this.#welcome(effect.nodeId, effect.session)
    if (decision.updates.length > 0)
      this.#sockets.replicate(hive.seq, decision.updates, hash, concernedBy(decision.updates))
    for (const effect of decision.effects)
      if (effect.type !== 'welcome') sendEffect(this.#sockets, effect)
    // Whoever is gone is nobody's peer any more.
    if (decision.updates.some((u) => u.change.table === 'node' && u.change.value?.state !== 'up'))
      this.#peers.tell()
    const { updates, observations, log } = decision
    if (updates.length + observations.length + log.length > 0) this.#reads.wakeWaiters()
  }

  // ── Sessions ─────────────────────────────────────────────────────────────────────────────────

  /** The socket path: Worker → object only, so that D1 being away hurts no session. */
  override async fetch(request: Request): Promise<Response> {
    if (this.#vacant) return refusedSession({ refused: NO_CLUSTER })
    if (new URL(request.url).pathname === WATCH_PATH) return this.#watchers.accept(request)
    const { hive } = this.#loaded()
    return openSession(request, { hive, ctx: this.ctx, store: this.#store, sockets: this.#sockets })
  }

  override async webSocketMessage(ws: WebSocket, data: string | ArrayBuffer): Promise<void> {
    if (this.#vacant) return
    if (this.#watchers.owns(ws)) return this.#watchers.heard(ws)
    const attachment = this.#sockets.attachment(ws)
    if (!attachment) return
    const frame = parseFrame(data)
    if ('problem' in frame) {
      const why = { code: frame.code, detail: frame.problem }
      return this.#sockets.close(ws, CLOSE[why.code === 'badFrame' ? why.code : 'refused'], why)
    }
    if (frame.t === 'report') return this.#inbox.report(ws, attachment, frame)
    // S2: whatever else comes before the welcome, or from a superseded socket, is ignored.
    if (attachment.phase !== 'welcomed') return
    return this.#inbox.take(ws, attachment, frame)
  }

  #welcome(nodeId: string, session: number): void {
    const around = { sockets: this.#sockets, store: this.#store, watch: this.#watch }
    welcomeSession({ ...around, ...this.#loaded() }, nodeId, session)
  }

  override async webSocketError(ws: WebSocket): Promise<void> {
    return this.webSocketClose(ws)
  }

  override async webSocketClose(ws: WebSocket): Promise<void> {
    if (this.#vacant || this.#watchers.owns(ws)) return
    this.#watch.closed(ws, 'socketClosed')
    this.#watchers.tell(true)
  }

  override async alarm(): Promise<void> {
    if (this.#vacant) return
    const open = this.#sockets.allWelcomed().length
    this.#watch.fired()
    const lost = this.#sockets.allWelcomed().length < open
    const due = this.#coreDeadline()
    if (due !== null && due <= Date.now()) this.#handle({ type: 'woke' })
    this.#webhooks.wake()
    this.#store.usage.look(this.ctx, this.env.DB, () => this.#loaded().hive)
    // The second line of what was to be told, and the moment for new keys.
    this.#peers.tell()
    this.#watch.arm()
    if (lost) this.#watchers.tell(true)
  }

  static {
    onlyWhileThere(Cluster.prototype, NEEDS_CLUSTER, (self) => (self as Cluster).#vacant)
  }

  // ── Called by the Worker ─────────────────────────────────────────────────────────────────────

  /** Where there is no cluster (any more) the one request is that which forms it. */
  async ask(...all: Parameters<OperatorRequests['ask']>): Promise<{ refused: Refusal } | Asked> {
    if (this.#vacant) await this.#openStore(all[0].type === 'formCluster')
    return this.#requests.ask(...all)
  }

  tellUsage(): Promise<void> {
    return this.#store.usage.tellNow(this.env.DB, this.#loaded().hive)
  }

  /** What a write has come to already; null: it may be carried out. */
  begin(write: Write): Before {
    return this.#writes.begin(write)
  }

  refused(write: Write, refusal: Refusal): void {
    this.#writes.refused(write, refusal)
  }

  keep(write: Write, body: unknown): void {
    this.#writes.keep(write, body)
  }

  cancelOperation(...all: Parameters<OperatorRequests['cancel']>): { refused: Refusal } | Asked {
    return this.#requests.cancel(...all)
  }

  /** What the fence agent of a node says, run by its helpers: looks only. */
  async testFence(nodeId: string, helper: string | null, write: Write): Promise<Tested> {
    const refused = this.#requests.attempt(write, { nodeId })
    return refused ? { refused } : this.#fenceTests.run(nodeId, helper)
  }

  /** Where a planned move is to go, or why it cannot: asked of the nodes. Stops nothing. */
  targetOf(groupId: string, named: string | null): Promise<Target> {
    return this.#moveChecks.target(groupId, named)
  }

  /** Handed to the node that runs the resource, and answered by its module. */
  control(ask: ControlAsk, write: Write | null): Promise<Controlled> {
    return this.#controls.run(ask, () => (write ? this.#requests.attempt(write, ask) : null))
  }

  webhooks(ask: WebhooksAsk) {
    return this.#webhooks.answer(ask)
  }

  listDeliveries(...all: Parameters<Webhooks['list']>) {
    return this.#webhooks.list(...all)
  }

  replayWebhook(endpoint: ReplayFor, ask: ReplayAsk, write: Write) {
    return this.#webhooks.replay(endpoint, ask, write)
  }

  survivability(lost: 1 | 2) {
    return this.#losses.of(lost)
  }

  exportConfig() {
    return this.#config.export()
  }

  planConfig(ask: PlanAsk) {
    return this.#config.plan(ask)
  }

  applyConfig(ask: ApplyAsk, by: string, write: Write) {
    return this.#config.apply(ask, by, write)
  }

  async restore(...all: Parameters<ClusterLife['restore']>) {
    if (this.#vacant) await this.#openStore()
    return this.#life.restore(...all)
  }

  takePlace(...all: Parameters<ClusterLife['takePlace']>) {
    return this.#life.takePlace(...all)
  }

  /** Its storage is empty then. What it may yet be asked finds no cluster. */
  async destroy(): Promise<void> {
    if (this.#vacant) return
    const { cluster } = this.#loaded().hive
    this.#vacant = true
    await this.#life.end(cluster?.name ?? '', this.ctx, this.#sockets, this.#watchers)
  }

  read<R extends Read>(what: R): AnswerTo<R> {
    return this.#reads.read(what)
  }

  /** Resolves when something came after the given numbers, or after `ms`. */
  wait(after: Waiter, ms: number): Promise<void> {
    return this.#reads.wait(after, ms)
  }
}
