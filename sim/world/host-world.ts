/** What a process of a simulated host finds around it: files, and the way to the control plane. */
import { type Actor, actorNow } from './kernel.ts'

export interface Dialled {
  send(text: string): void
  /** `silently`: not even a reset gets out. */
  end(silently: boolean): void
}

export interface DialEvents {
  opened(): void
  message(text: string): void
  closed(code: number, reason: string): void
  refused(status: number, headers: Record<string, string>, text: string): void
}

export interface HostWorld {
  readonly files: Map<string, string>
  /** No room: whatever is written fails. */
  diskFull: boolean
  /** The process that writes dies after so many more writes, in the middle of one. */
  writesLeft: number
  died(): void
  /** Its address among the hosts, or '' where they do not hear each other. */
  address: string
  /** Who listens for packets of peers. */
  hears: ((packet: Buffer, from: string) => void) | null
  tellPeer(from: string, to: string, packet: Buffer): void
  /** A fence agent that this host runs switches another one off, and makes sure of it. */
  fence(target: string): Promise<{ outcome: 'off' | 'failed'; detail: string }>
  switchOn(target: string): void
  /** Of the machine, where it has one (G12): it is reset when it has not been fed for so long. */
  watchdog: { feed(): void; disarm(): void } | null
  dial(url: string, headers: Record<string, string>, events: DialEvents): Dialled
}

const worlds = new WeakMap<Actor, HostWorld>()

export function livesIn(actor: Actor, world: HostWorld): void {
  worlds.set(actor, world)
}

export function worldNow(): HostWorld {
  const actor = actorNow()
  const world = actor && worlds.get(actor)
  if (!world) throw new Error('no host is running')
  return world
}
