import type { HiveStore } from './hive-store.ts'
import type { Sockets } from './sockets.ts'

/** Confirms that arrive within this time share one storage write. */
const GATHER_MS = 5

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
    if (this.#answering) return
    this.#answering = true
    try {
      while (this.#waiting.length > 0) {
        await new Promise((resolve) => setTimeout(resolve, GATHER_MS))
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
