/**
 * Whether an endpoint goes on: by what becomes of the attempts of all clusters of its organisation. Before one is
 * switched off, and when it is, that is told: by an event, and by mail to those who look after the organisation.
 */
import { LIMITS } from '../../schema/limits.ts'
import type { WebhookEvent } from '../../schema/webhook-events.ts'
import { mailerOf, mailing } from '../accounts/mail.ts'
import type { ClusterState } from '../core/decision.ts'
import type { HiveStore } from '../hive-store.ts'
import type { Endpoint, Endpoints } from './endpoints.ts'
import type { Told } from './events.ts'
import { noticeOf } from './kinds/email.ts'
import { wordsOf } from './kinds/words.ts'
import type { Outbox } from './outbox.ts'
import type { Outcome } from './send.ts'

export interface JudgeAround {
  readonly env: Env
  readonly endpoints: Endpoints
  readonly outbox: Outbox
  readonly store: HiveStore
  state(): ClusterState
  /** There is something new to send. */
  told(): void
}

type Notice = Extract<Told, { type: 'webhook.failing' | 'webhook.disabled' }>

export class Judge {
  readonly #around: JudgeAround

  constructor(around: JudgeAround) {
    this.#around = around
  }

  async look(endpoint: Endpoint, { delivered, status, detail }: Outcome): Promise<void> {
    const { endpoints } = this.#around
    const { id, failingSinceMs } = endpoint
    if (delivered) return failingSinceMs === null ? undefined : endpoints.works(id)
    if (status === GONE) return this.#switchOff(endpoint, 'it answered 410 Gone')
    if (failingSinceMs === null) return endpoints.failing(id, Date.now())
    const failingMs = Date.now() - failingSinceMs
    if (failingMs >= LIMITS.webhookFailingMaxMs) {
      const since = new Date(failingSinceMs).toISOString()
      const why = `nothing has got through since ${since}; the last time: ${detail}`
      return this.#switchOff(endpoint, why)
    }
    if (failingMs >= LIMITS.webhookFailingMaxMs / 2 && endpoint.warnedAtMs === null)
      return this.#warn(endpoint, failingSinceMs, detail)
  }

  async #warn(endpoint: Endpoint, failingSinceMs: number, detail: string): Promise<void> {
    if (!(await this.#around.endpoints.warn(endpoint.id, failingSinceMs))) return
    const data = {
      ...{ webhook: { id: endpoint.id, name: endpoint.name }, failingSinceMs, detail },
      offAtMs: offAtMs(failingSinceMs),
    }
    await this.#tell(endpoint, { type: 'webhook.failing', group: null, data })
  }

  async #switchOff(endpoint: Endpoint, why: string): Promise<void> {
    const { id, name } = endpoint
    const { endpoints, outbox } = this.#around
    const isOurs = await endpoints.switchOff(id, why)
    outbox.giveUp(id)
    if (!isOurs) return
    const data = { webhook: { id, name }, why }
    await this.#tell(endpoint, { type: 'webhook.disabled', group: null, data })
  }

  async #tell({ organisationId }: Endpoint, notice: Notice): Promise<void> {
    const { env, endpoints, outbox, store, state, told } = this.#around
    const nowMs = Date.now()
    const { type, data } = notice
    const { cluster } = state().hive
    const event: WebhookEvent = {
      ...{ type, data, timestamp: new Date(nowMs).toISOString(), sequence: 0 },
      cluster: cluster && { id: cluster.id, name: cluster.name },
    }
    const { headline, lines } = wordsOf(event)
    const message = `${headline}. ${lines.join(' ')}`
    store.appendLog([{ atMs: nowMs, node: 'control', component: 'EVT' as const, message }])
    outbox.tell([notice], nowMs)
    told()
    const mailer = mailerOf(env)
    if (!mailer) return
    for (const to of await endpoints.lookedAfterBy(organisationId))
      await mailing(mailer, { to, ...noticeOf(event) })
  }
}

/** When an endpoint is switched off, if nothing gets through by then. */
export const offAtMs = (failingSinceMs: number): number =>
  failingSinceMs + LIMITS.webhookFailingMaxMs

/** HTTP status with which a receiver says that it wants nothing more. */
export const GONE = 410
