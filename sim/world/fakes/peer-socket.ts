/** `probe/agent/peer-socket.ts`: UDP between the hosts of the simulation. */
import type { PeerAddress } from '../../../schema/session.ts'
import { type HostWorld, worldNow } from '../host-world.ts'
import { type Actor, actorNow } from '../kernel.ts'

interface Events {
  message(packet: Buffer, from: string): void
}

export class PeerSocket {
  readonly #world: HostWorld
  readonly #listens: PeerAddress

  private constructor(world: HostWorld, listens: PeerAddress) {
    this.#world = world
    this.#listens = listens
  }

  static async bind(address: string, _: number, events: Events) {
    const world = worldNow()
    const actor = actorNow() as Actor
    const listens = { address, port: 7_400 }
    world.hears = (packet, from) => actor.deliver(() => events.message(packet, from))
    return { socket: new PeerSocket(world, listens), listens }
  }

  send(to: PeerAddress, packet: Buffer, done: (sent: boolean) => void): void {
    this.#world.tellPeer(this.#listens.address, to.address, packet)
    done(true)
  }

  close(): void {
    this.#world.hears = null
  }
}
