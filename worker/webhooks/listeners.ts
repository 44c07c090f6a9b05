/** Those who ask what webhooks tell, instead of being told. */
import type { ToldEvents } from '../../schema/api/webhooks.ts'
import type { Outbox } from './outbox.ts'

export interface ToldAsk {
  readonly after?: number | undefined
  readonly limit?: number | undefined
  readonly waitMs?: number | undefined
}

type Told = ToldEvents['events'][number]

const PAGE = 100

export class Listeners {
  readonly #outbox: Outbox
  readonly #event: (n: number) => Told | null
  #waiting: (() => void)[] = []

  constructor(outbox: Outbox, event: (n: number) => Told | null) {
    this.#outbox = outbox
    this.#event = event
  }

  /** There may be something new. */
  came(): void {
    for (const go of this.#waiting.splice(0)) go()
  }

  async told({ after, limit = PAGE, waitMs = 0 }: ToldAsk): Promise<ToldEvents> {
    // From now on: nothing of the past is shown to who has not asked for it.
    if (after === undefined) return { events: [], next: this.#outbox.newest }
    const endMs = Date.now() + waitMs
    while (this.#outbox.newest <= after && Date.now() < endMs) await this.#wait(endMs - Date.now())
    const events = this.#outbox.behind(after, limit).flatMap((n) => this.#event(n) ?? [])
    return { events, next: events.at(-1)?.event.sequence ?? after }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#waiting.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}
