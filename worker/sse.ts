/** An answer of server-sent events (text/event-stream), as the HTML standard has them. */
import { LIMITS } from '../schema/limits.ts'

export interface SseEvent {
  /** What a client that comes back says as Last-Event-ID; absent: as before. */
  readonly id?: number | string
  /** Absent: `message`. */
  readonly event?: string
  readonly data: unknown
}

/** Asked for, in a header or by what the path is. */
export const wantsEvents = (accept: string | undefined): boolean =>
  accept?.split(',').some((one) => one.trim().split(';')[0] === 'text/event-stream') ?? false

export class Sse {
  readonly response: Response
  readonly #encoder = new TextEncoder()
  readonly #ended: () => void
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null

  /** @param ended called once, whoever ends it */
  constructor(request: string, ended: () => void) {
    this.#ended = ended
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        cancel: () => this.#over(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: LIMITS.sseBufferMax }),
    )
    const headers = {
      ...{ 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
      // Proxies that gather answers would hold back what is to come at once.
      ...{ 'x-accel-buffering': 'no', 'x-request-id': request },
    }
    this.response = new Response(body, { headers })
    this.#write(`retry: ${LIMITS.sseRetryMs}\n\n`)
  }

  get open(): boolean {
    return this.#controller !== null
  }

  send({ id, event, data }: SseEvent): void {
    const head = `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}`
    this.#write(`${head}data: ${JSON.stringify(data)}\n\n`)
  }

  /** Says nothing, and shows that the line is not dead. */
  heartbeat(): void {
    this.#write(': \n\n')
  }

  end(): void {
    const controller = this.#controller
    this.#over()
    controller?.close()
  }

  /** Who does not read is cut off, so that what it has not read does not pile up here: it may come back. */
  #write(text: string): void {
    const controller = this.#controller
    if (!controller) return
    controller.enqueue(this.#encoder.encode(text))
    if ((controller.desiredSize ?? 0) > 0) return
    this.#over()
    controller.error(new Error('the reader is too slow'))
  }

  #over(): void {
    if (!this.#controller) return
    this.#controller = null
    this.#ended()
  }
}
