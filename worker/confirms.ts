import type { HiveStore } from './hive-store.ts'
import type { Sockets } from './sockets.ts'

/**
 * Confirms that arrive within this time share one storage write: all nodes send theirs at the same instant
 * (link.ts), and are not equally far away. A row for each would be most of what an idle cluster costs.
 */
const GATHER_MS = 40
/** The first of a session is waited for: without it nothing may start (L3). */
const FIRST_GATHER_MS = 5

/**
 * Answers confirms behind a storage write that began after they had arrived (L3, L6): a superseded
 * instance cannot do that. Needs no hive.
 */
export class Confirms {
  readonly #storage: DurableObjectStorage
  readonly #store: HiveStore
  readonly #sockets: Sockets
  readonly #confirmed: (nodeId: string) => void
  #waiting: { ws: WebSocket; nodeId: string; n: number; heardMs: number }[] = []
  #answering = false
  #begin: () => void = () => {}

  constructor(
    storage: DurableObjectStorage,
    store: HiveStore,
    sockets: Sockets,
    confirmed: (nodeId: string) => void,
  ) {
    this.#storage = storage
    this.#store = store
    this.#sockets = sockets
    this.#confirmed = confirmed
  }

  async add(ws: WebSocket, nodeId: string, n: number): Promise<void> {
    this.#waiting.push({ ws, nodeId, n, heardMs: Date.now() })
    if (this.#answering) {
      if (isFirst({ n })) setTimeout(this.#begin, FIRST_GATHER_MS)
      return
    }
    this.#answering = true
    try {
      while (this.#waiting.length > 0) {
        const ms = this.#waiting.some(isFirst) ? FIRST_GATHER_MS : GATHER_MS
        await new Promise<void>((resolve) => {
          this.#begin = resolve
          setTimeout(resolve, ms)
        })
        // What arrives from here on waits for the next write.
        const batch = this.#waiting
        this.#waiting = []
        this.#store.writeConfirm(Date.now(), batch.length)
        await this.#storage.sync()
        for (const confirm of batch) {
          this.#confirmed(confirm.nodeId)
          const { n, heardMs } = confirm
          this.#sockets.send(confirm.ws, { t: 'confirmed', n, heardMs, saidMs: Date.now() })
        }
      }
    } finally {
      this.#answering = false
    }
  }
}

const isFirst = ({ n }: { n: number }): boolean => n === 1
