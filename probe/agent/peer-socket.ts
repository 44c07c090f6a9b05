/** The one UDP socket that peers are heard on: bound to one address of this host and no other. */
import { createSocket, type Socket } from 'node:dgram'
import type { PeerAddress } from '../../schema/session.ts'

export interface PeerSocketEvents {
  message(packet: Buffer, from: string): void
  /** It is of no use any more. */
  failed(why: string): void
}

export class PeerSocket {
  readonly #socket: Socket
  #open = true

  private constructor(socket: Socket, events: PeerSocketEvents) {
    this.#socket = socket
    socket.on('message', (packet, from) => events.message(packet, from.address))
    socket.on('error', (error) => {
      this.close()
      events.failed(error.message)
    })
    // It is not what keeps the agent going.
    socket.unref()
  }

  /** @param port 0: any that is free @throws {Error} the address is not this host's, the port is taken */
  static async bind(
    address: string,
    port: number,
    events: PeerSocketEvents,
  ): Promise<{ socket: PeerSocket; listens: PeerAddress }> {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ address, port, exclusive: true }, () => {
        socket.off('error', reject)
        resolve()
      })
    })
    const listens = { address, port: socket.address().port }
    return { socket: new PeerSocket(socket, events), listens }
  }

  /** @param done with what became of it; lost on the way is not known to anybody */
  send(to: PeerAddress, packet: Buffer, done: (sent: boolean) => void): void {
    if (!this.#open) return done(false)
    this.#socket.send(packet, to.port, to.address, (error) => done(!error))
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#socket.close()
  }
}
