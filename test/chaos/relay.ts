/**
 * The line from one host to the control plane, in user space: it delays, is cut, and stalls either
 * way in the middle of whatever is under way. Losing single packets is left to the network.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** From the host, and to it. */
export type Way = 'out' | 'in'

export class Relay {
  readonly #server: Server
  readonly #lines = new Set<Line>()
  readonly #delayMs: Record<Way, number> = { out: 0, in: 0 }
  readonly #stalled = new Set<Way>()
  #cut = false
  /** Where the control plane listens. */
  target = { host: '127.0.0.1', port: 0 }

  private constructor() {
    this.#server = createServer((near) => this.#accept(near))
  }

  static async listen(host: string, port: number): Promise<Relay> {
    const relay = new Relay()
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject)
      relay.#server.listen(port, host, resolve)
    })
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  delay(ms: number): void {
    this.#delayMs.in = ms
    this.#delayMs.out = ms
  }

  /** From now on the bytes of one way stay here, all but the first few of them. */
  stall(way: Way): void {
    this.#stalled.add(way)
  }

  /** Nothing gets through any more, nothing is closed: as when a network loses everything. */
  cut(): void {
    this.#cut = true
  }

  /** What was connected before is gone by now. */
  heal(): void {
    this.#cut = false
    for (const line of this.#lines) line.destroy()
  }

  flow(way: Way): void {
    this.#stalled.delete(way)
    for (const line of this.#lines) line.pump()
  }

  close(): void {
    this.#server.close()
    for (const line of this.#lines) line.destroy()
  }

  #accept(near: Socket): void {
    const far = connect(this.target)
    const lines = [
      new Line(near, far, () => this.#state('out')),
      new Line(far, near, () => this.#state('in')),
    ]
    for (const line of lines) {
      this.#lines.add(line)
      line.onEnd(() => this.#lines.delete(line))
    }
  }

  #state(way: Way): State {
    return { delayMs: this.#delayMs[way], stalled: this.#stalled.has(way), cut: this.#cut }
  }
}

interface State {
  readonly delayMs: number
  readonly stalled: boolean
  readonly cut: boolean
}

/** One way of one connection. */
class Line {
  readonly #from: Socket
  readonly #to: Socket
  readonly #state: () => State
  /** What is under way; null is the end. */
  readonly #queue: { dueMs: number; bytes: Buffer | null }[] = []
  #split = false
  #ended: () => void = () => {}

  constructor(from: Socket, to: Socket, state: () => State) {
    this.#from = from
    this.#to = to
    this.#state = state
    from.setNoDelay(true)
    from.on('data', (bytes: Buffer) => this.#put(bytes))
    from.on('error', () => {})
    from.on('close', () => this.#put(null))
  }

  onEnd(ended: () => void): void {
    this.#ended = ended
  }

  #put(bytes: Buffer | null): void {
    const { delayMs } = this.#state()
    const before = this.#queue.at(-1)?.dueMs ?? 0
    this.#queue.push({ dueMs: Math.max(before, performance.now() + delayMs), bytes })
    if (delayMs === 0) this.pump()
    else setTimeout(() => this.pump(), delayMs + 1)
  }

  pump(): void {
    const { stalled, cut } = this.#state()
    if (cut) return
    if (!stalled) this.#split = false
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      if (first.dueMs > performance.now()) {
        setTimeout(() => this.pump(), first.dueMs - performance.now() + 1)
        return
      }
      if (stalled) {
        // A frame may be cut in two by it.
        if (this.#split || !first.bytes || first.bytes.length < 2) return
        this.#split = true
        this.#to.write(first.bytes.subarray(0, 1))
        first.bytes = first.bytes.subarray(1)
        return
      }
      this.#queue.shift()
      if (first.bytes) this.#to.write(first.bytes)
      else {
        // After what was written before it.
        this.#to.destroySoon()
        this.#ended()
      }
    }
  }

  destroy(): void {
    this.#from.destroy()
    this.#to.destroy()
    this.#ended()
  }
}
