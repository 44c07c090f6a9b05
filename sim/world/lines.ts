/** The connections of one host to the control plane. */
import type { DialEvents, Dialled } from './host-world.ts'
import { type Actor, actorNow } from './kernel.ts'
import type { Platform } from './platform.ts'
import type { Weather } from './sockets.ts'

export class Lines {
  readonly #platform: Platform
  readonly #hostName: string
  readonly #weather: Weather
  readonly #open = new Set<Dialled>()

  constructor(platform: Platform, hostName: string, weather: Weather) {
    this.#platform = platform
    this.#hostName = hostName
    this.#weather = weather
  }

  dial(url: string, headers: Record<string, string>, events: DialEvents): Dialled {
    const agent = actorNow() as Actor
    let open = true
    const socket = this.#platform.connect(
      this.#hostName,
      new URL(url).pathname,
      { ...headers, upgrade: 'websocket' },
      this.#weather,
      {
        actor: agent,
        opened: () => open && events.opened(),
        message: (text) => open && events.message(text),
        closed: (code, reason) => open && events.closed(code, reason),
        refused: (status, said, text) => open && events.refused(status, said, text),
      },
    )
    const line: Dialled = {
      send: (text) => socket.fromHost(text),
      end: (silently) => {
        if (!open) return
        open = false
        this.#open.delete(line)
        socket.endedByHost(silently)
      },
    }
    this.#open.add(line)
    return line
  }

  /** Whoever had them is gone. `silently`: not even a reset gets out. */
  endAll(silently: boolean): void {
    for (const line of [...this.#open]) line.end(silently)
    this.#open.clear()
  }
}
