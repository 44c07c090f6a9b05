/**
 * Tells receivers what has happened: the outbox is written with the decision, in its transaction, and sent
 * behind it. What was committed is delivered at least once, whatever restarts; for each endpoint the first
 * attempts are made in order, and a retry holds up nothing. Whatever goes wrong here stops no decision.
 */
import type { ToldEvents, WebhookKind } from '../../schema/api/webhooks.ts'
import type { Refusal } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'
import type { WebhookData, WebhookEventType } from '../../schema/webhook-events.ts'
import { aside } from '../aside.ts'
import type { ClusterState, Decision } from '../core/decision.ts'
import { isBack } from '../core/tally.ts'
import type { HiveStore } from '../hive-store.ts'
import { soonest } from '../soon-timer.ts'
import { readTimelines } from '../timeline-reads.ts'
import type { Write } from '../write.ts'
import type { Writes } from '../writes.ts'
import { type Endpoint, type EndpointRow, Endpoints, wantsOf } from './endpoints.ts'
import { eventsOf, type Opened, type Told } from './events.ts'
import { Heartbeats } from './heartbeats.ts'
import { GONE, Judge } from './judge.ts'
import { lastWordCounts } from './kinds/kinds.ts'
import { Listeners, type ToldAsk } from './listeners.ts'
import { type Delivery, type Message, Outbox } from './outbox.ts'
import { retryInMs } from './retries.ts'
import { type Outcome, send } from './send.ts'

export interface WebhooksAround {
  readonly ctx: DurableObjectState
  readonly store: HiveStore
  readonly env: Env
  readonly writes: Writes
  state(): ClusterState
  /** Something is to be done later: the alarm has to stand for it. */
  arm(): void
}

/** That endpoints were made, changed or deleted; and what there is to tell behind a number. */
export type WebhooksAsk = { what: 'changed' } | ({ what: 'told' } & ToldAsk)
export type WebhooksAnswer<A extends WebhooksAsk> = A extends { what: 'told' } ? ToldEvents : null

export type ReplayAsk = { message: string } | { sinceMs: number }
export type ReplayFor = Pick<EndpointRow, 'id' | 'name' | 'kind' | 'types' | 'groups'>

/** Later than that it is left to the alarm, so that the object may sleep. */
const SOON_MS = 30_000
/** The list of endpoints could not be read: again after this long. */
const AGAIN_MS = 5_000
/** While something is being sent: if this instance goes away, the next one is woken for it. */
const RESCUE_MS = 30_000

export class Webhooks {
  readonly #around: WebhooksAround
  readonly #outbox: Outbox
  readonly #endpoints: Endpoints
  readonly #judge: Judge
  readonly #heartbeats: Heartbeats
  readonly #listeners: Listeners
  /** Endpoints to which first attempts are under way. */
  readonly #lanes = new Set<string>()
  /** How many retries are under way. */
  #retrying = 0
  #pumping = false
  #again = false
  #timer: ReturnType<typeof setTimeout> | undefined
  /** When something is to be sent that is not under way; undefined: not known. */
  #nextAtMs: number | null | undefined
  /** Endpoints for which something may wait; null: not known. */
  #waited: Set<string> | null = null
  #allLookedAt = false

  constructor(around: WebhooksAround) {
    this.#around = around
    const factor = factorOf(around.env.WEBHOOK_RETRY_FACTOR)
    this.#outbox = new Outbox(around.store.db, around.ctx.storage, factor)
    this.#endpoints = new Endpoints(around.env.DB)
    const [endpoints, outbox] = [this.#endpoints, this.#outbox]
    const judge = new Judge({ ...around, endpoints, outbox, told: () => void this.pump() })
    this.#judge = judge
    this.#listeners = new Listeners(outbox, (n) => this.#event({ n }))
    this.#heartbeats = new Heartbeats({ ...around, endpoints, judge, factor })
  }

  /** Within the transaction of the decision; `before` is what it was made on. */
  record(decision: Decision, before: ClusterState): void {
    const { told, opened } = aside('webhooks', () => eventsOf(decision, before)) ?? NOTHING
    if (told.length === 0) return
    this.#outbox.add(told, opened, Date.now())
    this.#outbox.changed()
  }

  /**
   * Once a decision is committed and applied.
   *
   * @param touched groups that may be online again by it
   */
  behind(touched: ReadonlySet<string>): void {
    aside('webhooks', () => {
      const state = this.#around.state()
      const looked = this.#allLookedAt ? touched : null
      this.#allLookedAt = true
      this.#settle(state, looked)
      const isWell = this.#outbox.troubles.look(state, looked, Date.now())
      if (this.#outbox.hasNew) void this.pump()
      else if (isWell) this.#schedule()
    })
  }

  /** After a start or an alarm: what is left to do, if anything is. */
  wake(): void {
    aside('webhooks', () => {
      this.#heartbeats.wake()
      const dueMs = this.#nextDueMs()
      if (this.#outbox.hasNew || (dueMs !== null && dueMs <= Date.now())) void this.pump()
    })
  }

  /** When the object has to be awake; null: for nothing of this. */
  dueMs(): number | null {
    return aside('webhooks', () => {
      if (this.#pumping || this.#lanes.size + this.#retrying > 0 || this.#outbox.hasNew)
        return Date.now() + RESCUE_MS
      return soonest(this.#nextDueMs(), this.#heartbeats.dueMs())
    })
  }

  /** Read once: whatever changes it goes through this instance, and every alarm asks. */
  #nextDueMs(): number | null {
    if (this.#nextAtMs === undefined) {
      const nowMs = Date.now()
      this.#nextAtMs = this.#outbox.isDue(nowMs) ? nowMs : this.#outbox.nextAtMs()
    }
    return soonest(this.#nextAtMs, this.#outbox.troubles.dueMs())
  }

  async answer<A extends WebhooksAsk>(ask: A): Promise<WebhooksAnswer<A>>
  async answer(ask: WebhooksAsk): Promise<ToldEvents | null> {
    if (ask.what === 'told') return this.#listeners.told(ask)
    this.#endpoints.forget()
    await this.#heartbeats.changed()
    return null
  }

  list(...all: Parameters<Outbox['list']>) {
    return this.#outbox.list(...all)
  }

  /** Sends again, in order with what is new. */
  replay(
    endpoint: ReplayFor,
    ask: ReplayAsk,
    write: Write,
  ): { refused: Refusal } | { messages: number } {
    const { ctx, writes } = this.#around
    const hindered = writes.hindrance(write)
    if (hindered) return { refused: hindered }
    const { id, name } = endpoint
    const messages = ctx.storage.transactionSync(() => {
      const many = this.#outbox.replay(
        {
          ...{ id, wants: wantsOf(endpoint) },
          lastWordCounts: lastWordCounts(endpoint.kind as WebhookKind),
        },
        ask,
      )
      const about = { kind: 'webhook', id, name }
      if (many > 0 || !('message' in ask))
        writes.commit(
          write,
          { action: 'replayWebhook', about, asked: ask, changes: [] },
          { messages: many },
        )
      return many
    })
    if (messages === 0 && 'message' in ask) return { refused: noMessage(ask.message) }
    this.#waited?.add(id)
    void this.pump()
    return { messages }
  }

  /** Groups that have left an owner and are online again by now. */
  #settle(state: ClusterState, touched: ReadonlySet<string> | null): void {
    for (const [groupId, opened] of [...this.#outbox.open]) {
      if (touched && !touched.has(groupId)) continue
      const group = state.hive.groups.get(groupId)
      if (!group) this.#outbox.close(groupId, null, Date.now())
      else if (isBack(state, groupId))
        this.#outbox.close(groupId, this.#completed(opened, group.name, state), Date.now())
    }
  }

  #completed({ groupId, cause, planned, from }: Opened, name: string, state: ClusterState): Told {
    const { ownership } = state.hive.groups.get(groupId) ?? {}
    const owner = ownership?.owner ?? null
    const data = {
      group: { id: groupId, name },
      from,
      to: owner && (state.hive.nodes.get(owner)?.name ?? owner),
      epoch: ownership?.epoch ?? 0,
      cause,
    }
    const type = planned ? ('group.move.completed' as const) : ('group.failover.completed' as const)
    return { type, group: name, data }
  }

  /** What the time went into is read once somebody is told of it: a host may take hundreds of groups along. */
  #whole(message: Message): ToldData {
    const data = JSON.parse(message.data) as Partial<WebhookData<'group.failover.completed'>>
    const { group, cause } = data
    const isWhole = !message.type.endsWith('.completed') || 'phases' in data
    if (isWhole || !group || cause === undefined) return data as ToldData
    const ask = { groupId: group.id, id: cause, limit: 1 }
    const [view] = readTimelines(this.#around.store, this.#around.state(), ask)
    const whole = {
      ...data,
      ...{ reason: view?.code ?? null, verdict: view?.verdict ?? null },
      ...{ outage: view?.outage ?? null, phases: view?.phases ?? [] },
    }
    // The same for all who are told, however often.
    this.#outbox.complete(message.n, whole)
    return whole
  }

  // ── Sending ────────────────────────────────────────────────────────────────────────────────

  /** Starts whatever is to be sent now, and arms for the rest. Never throws. */
  async pump(): Promise<void> {
    if (this.#pumping) {
      this.#again = true
      return
    }
    this.#pumping = true
    this.#listeners.came()
    this.#around.arm()
    try {
      do {
        this.#again = false
        await this.#turn()
      } while (this.#again)
      this.#nextAtMs = this.#outbox.nextAtMs()
    } catch {
      // D1 is away, or this instance was superseded: what is committed is still there.
      this.#nextAtMs = Date.now() + AGAIN_MS
    } finally {
      this.#pumping = false
    }
    this.#schedule()
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    const at = this.#nextDueMs()
    if (at === null) return
    const ms = Math.max(0, at - Date.now())
    if (ms <= SOON_MS) this.#timer = setTimeout(() => void this.pump(), ms)
    this.#around.arm()
  }

  async #turn(): Promise<void> {
    const cluster = this.#around.state().hive.cluster
    if (!cluster) return
    this.#outbox.tellRecovered(this.#around.state(), Date.now())
    let endpoints = await this.#endpoints.of(cluster.id)
    while (this.#outbox.hasNew) {
      // Read behind the commit: an endpoint that was there before it is never missed.
      const upTo = this.#outbox.newest
      this.#listeners.came()
      this.#endpoints.forget()
      endpoints = await this.#endpoints.of(cluster.id)
      this.#outbox.spread(endpoints, upTo)
      this.#heartbeats.see(endpoints.filter(({ kind }) => kind === 'heartbeat'))
      for (const { id } of endpoints) this.#waited?.add(id)
    }
    this.#waited ??= new Set(this.#outbox.waitedFor())
    const isKnown = (id: string) => endpoints.some((one) => one.id === id)
    if (![...this.#waited].every(isKnown)) {
      // Perhaps it has been switched on since: what is given up is not tried again.
      this.#endpoints.forget()
      endpoints = await this.#endpoints.of(cluster.id)
    }
    for (const id of this.#waited) {
      const endpoint = endpoints.find((one) => one.id === id)
      this.#waited.delete(id)
      if (endpoint) void this.#lane(endpoint, cluster.id)
      else if (!this.#lanes.has(id)) this.#outbox.giveUp(id)
    }
    const room = LIMITS.webhooksAtOnce - this.#retrying
    if (room <= 0) return
    for (const delivery of this.#outbox.retries(Date.now(), room)) {
      const endpoint = endpoints.find((one) => one.id === delivery.endpointId)
      if (!endpoint) this.#outbox.giveUp(delivery.endpointId)
      else void this.#retry(endpoint, delivery)
    }
  }

  /** First attempts, one after the other. */
  async #lane(endpoint: Endpoint, clusterId: string): Promise<void> {
    if (this.#lanes.has(endpoint.id)) return
    this.#lanes.add(endpoint.id)
    try {
      for (
        let next = this.#outbox.first(endpoint.id);
        next;
        next = this.#outbox.first(endpoint.id)
      ) {
        const known = await this.#endpoints.of(clusterId)
        const now = known.find((one) => one.id === endpoint.id)
        if (now) await this.#attempt(now, next)
        else this.#outbox.giveUp(endpoint.id)
      }
    } catch {
      this.#waited?.add(endpoint.id)
      this.#nextAtMs = Date.now() + AGAIN_MS
    } finally {
      this.#lanes.delete(endpoint.id)
      this.#schedule()
    }
  }

  async #retry(endpoint: Endpoint, delivery: Delivery): Promise<void> {
    this.#retrying += 1
    try {
      this.#outbox.claim(delivery, Date.now() + RESCUE_MS)
      if (lastWordCounts(endpoint.kind) && this.#outbox.isOvertaken(delivery))
        this.#outbox.attempted(delivery, OVERTAKEN, null)
      else await this.#attempt(endpoint, delivery)
    } catch {
      // Superseded, or the storage failed: it comes again.
    } finally {
      this.#retrying -= 1
      void this.pump()
    }
  }

  async #attempt(endpoint: Endpoint, delivery: Delivery): Promise<void> {
    const { env } = this.#around
    const found = this.#event(delivery)
    const outcome: Outcome = found
      ? await send(endpoint, found.id, found.event, env)
      : { delivered: false, status: null, detail: 'the message is no longer kept', ms: 0 }
    const over = outcome.delivered || outcome.status === GONE || !found
    const inMs = over ? null : retryInMs(delivery.attempts + 1, factorOf(env.WEBHOOK_RETRY_FACTOR))
    const nextAtMs = inMs === null ? null : Date.now() + inMs
    this.#outbox.attempted(delivery, outcome, nextAtMs)
    if (nextAtMs !== null && nextAtMs < (this.#nextAtMs ?? Number.POSITIVE_INFINITY)) {
      this.#nextAtMs = nextAtMs
      this.#schedule()
    }
    await this.#judge.look(endpoint, outcome).catch(() => {})
  }

  #event({ n }: Pick<Delivery, 'n'>): ToldEvents['events'][number] | null {
    const message = this.#outbox.message(n)
    const { cluster } = this.#around.state().hive
    if (!message || !cluster) return null
    const { id, type, atMs } = message
    const event = {
      ...{ type: type as WebhookEventType, timestamp: new Date(atMs).toISOString() },
      cluster: { id: cluster.id, name: cluster.name },
      ...{ sequence: n, data: this.#whole(message) },
    }
    return { id, event }
  }
}

type ToldData = ToldEvents['events'][number]['event']['data']

const OVERTAKEN: Outcome = {
  ...{ delivered: true, status: null, ms: 0 },
  detail: 'not sent: something newer about the same was told',
}
const NOTHING: ReturnType<typeof eventsOf> = { told: [], opened: [] }

/** For tests: how much sooner than it should something is tried again. */
function factorOf(said: string | undefined): number {
  const factor = Number(said ?? 1)
  return factor > 0 ? factor : 1
}

const noMessage = (id: string): Refusal => ({
  code: 'NOT_FOUND',
  message: `there is no message "${id}" in this cluster`,
  why: `It keeps its last ${LIMITS.webhookMessagesKept} messages.`,
  remedy: 'List what was sent: holdfast webhook deliveries NAME',
})
