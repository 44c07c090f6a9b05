/** A relay in user space between a host and the control plane, to cut that way and no other. */
import { connect, createServer, type Socket } from 'node:net'

export class Relay {
  readonly url: string
  readonly #close: () => void
  readonly #sockets: Set<Socket>
  #cut = false

  private constructor(port: number, sockets: Set<Socket>, close: () => void) {
    this.url = `http://127.0.0.1:${port}`
    this.#sockets = sockets
    this.#close = close
  }

  static async to(port: number): Promise<Relay> {
    const sockets = new Set<Socket>()
    const server = createServer((near) => {
      if (relay.#cut) return void near.pause()
      const far = connect(port, '127.0.0.1')
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from)
        // Nothing is closed and nothing is answered: as a network does that loses all packets.
        from.on('data', (data) => !relay.#cut && to.write(data))
        from.on('error', () => to.destroy())
        from.on('close', () => {
          sockets.delete(from)
          if (!relay.#cut) to.destroy()
        })
      }
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const address = server.address() as { port: number }
    const relay = new Relay(address.port, sockets, () => server.close())
    return relay
  }

  /** From now on nothing gets through, in either direction. */
  cut(): void {
    this.#cut = true
  }

  heal(): void {
    this.#cut = false
    for (const socket of this.#sockets) socket.destroy()
  }

  end(): void {
    this.#close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
