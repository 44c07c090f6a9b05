/** Whether an endpoint goes on: by what becomes of the attempts of all clusters of its organisation. */
import { LIMITS } from '../../schema/limits.ts'
import type { HiveStore } from '../hive-store.ts'
import type { Endpoint, Endpoints } from './endpoints.ts'
import type { Outbox } from './outbox.ts'
import type { Outcome } from './send.ts'

export interface JudgeAround {
  readonly endpoints: Endpoints
  readonly outbox: Outbox
  readonly store: HiveStore
}

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
    if (Date.now() - failingSinceMs < LIMITS.webhookFailingMaxMs) return
    const since = new Date(failingSinceMs).toISOString()
    return this.#switchOff(
      endpoint,
      `nothing has got through since ${since}; the last time: ${detail}`,
    )
  }

  async #switchOff({ id, name }: Endpoint, why: string): Promise<void> {
    const { endpoints, outbox, store } = this.#around
    await endpoints.switchOff(id, why)
    outbox.giveUp(id)
    const message = `webhook ${name} is switched off: ${why}; switch it on again: holdfast webhook change ${name} --on`
    store.appendLog([{ atMs: Date.now(), node: 'control', component: 'EVT' as const, message }])
  }
}

/** HTTP status with which a receiver says that it wants nothing more. */
export const GONE = 410
