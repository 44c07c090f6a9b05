/**
 * Where the Durable Object runs: the production class on storage in memory. It is put to sleep and
 * loses its memory, dies with its sockets, or is superseded by another instance while the old one's
 * runtime goes on answering pings, as the platform is known to do.
 */
import type { Refusal } from '../../schema/errors.ts'
import type { Request as OperatorRequest } from '../../schema/event.ts'
import { pairsFrom } from './fakes/cloudflare.ts'
import { Disk, FakeStorage, Superseded } from './fakes/storage.ts'
import { Actor, type Kernel } from './kernel.ts'
import { type HostEnd, ObjectSocket, type Weather } from './sockets.ts'

/** The production class (worker/cluster-object.ts), as far as the platform calls it. */
export interface ClusterObject {
  fetch(request: Request): Promise<Response>
  webSocketMessage(ws: ObjectSocket, text: string): Promise<void>
  webSocketClose(ws: ObjectSocket): Promise<void>
  alarm(): Promise<void>
  ask(request: OperatorRequest, by: string): { refused: Refusal } | { seq: number }
}
export type ClusterClass = new (ctx: object, env: object) => ClusterObject

/** Alarms come late, by up to a minute where the faults say so. */
export interface PlatformFaults {
  alarmLateMs(): number
  syncMs(): number
  clockRate(): number
}

/** One machine that runs an instance, with the sockets that it holds. */
class Placement {
  readonly number: number
  readonly sockets = new Set<ObjectSocket>()
  actor: Actor
  object: ClusterObject | null = null
  /** Waits for `blockConcurrencyWhile`. */
  gate: Promise<unknown> | null = null
  constructor(number: number, actor: Actor) {
    this.number = number
    this.actor = actor
  }
}

export class Platform {
  readonly kernel: Kernel
  readonly disk = new Disk()
  readonly #Cluster: ClusterClass
  readonly #faults: PlatformFaults
  #now: Placement | null = null
  /** Superseded, and not yet gone. */
  readonly #old = new Set<Placement>()
  #instances = 0
  #alarm = 0

  constructor(kernel: Kernel, Cluster: ClusterClass, faults: PlatformFaults) {
    this.kernel = kernel
    this.#Cluster = Cluster
    this.#faults = faults
    this.disk.onAlarm = () => this.#armAlarm()
  }

  /** The instance of now, begun if there is none. */
  #placement(): Placement {
    if (this.#now) return this.#now
    this.#instances += 1
    this.#now = new Placement(this.#instances, this.#actor())
    this.#wake(this.#now)
    return this.#now
  }

  #actor(): Actor {
    const clock = { rate: this.#faults.clockRate(), wallOffsetMs: 0, bootTrueMs: 0 }
    const actor = new Actor(this.kernel, `object ${this.#instances}`, clock)
    actor.onError = (error) => this.#resets(actor, error)
    return actor
  }

  #wake(p: Placement): ClusterObject {
    if (p.object) return p.object
    this.disk.instance += 1
    const storage = new FakeStorage(this.disk, this.disk.instance, () => this.#faults.syncMs())
    const ctx = {
      storage,
      acceptWebSocket: (ws: ObjectSocket, tags: string[]) => {
        p.sockets.add(ws)
        ws.accepted(
          {
            message: (socket, text) => this.#heard(p, socket, text),
            closed: (socket) => this.#closed(p, socket),
          },
          tags,
        )
      },
      getWebSockets: (tag?: string) =>
        [...p.sockets].filter((ws) => tag === undefined || ws.tags.includes(tag)),
      getTags: (ws: ObjectSocket) => [...ws.tags],
      setWebSocketAutoResponse: () => {},
      getWebSocketAutoResponseTimestamp: (ws: ObjectSocket) => ws.answeredAt,
      blockConcurrencyWhile: async <T>(work: () => Promise<T>) => {
        const done = work()
        p.gate = done.finally(() => {
          p.gate = null
        })
        return done
      },
    }
    p.object = p.actor.run(() => new this.#Cluster(ctx, {}))
    return p.object
  }

  /** An event of the instance: after its start, in its own context; a superseded one is ended by it. */
  async #event<T>(
    p: Placement,
    work: (object: ClusterObject) => T | Promise<T>,
  ): Promise<T | null> {
    return p.actor.run(async () => {
      try {
        const object = this.#wake(p)
        while (p.gate) await p.gate
        return await work(object)
      } catch (error) {
        this.kernel.caught(p.actor, error)
        // The platform resets an instance whose event has failed: its sockets go with it.
        this.#end(p, true)
        return null
      }
    })
  }

  /** An instance that finds its storage gone is reset, with its sockets. */
  #resets(actor: Actor, error: unknown): boolean {
    if (!(error instanceof Superseded)) return false
    for (const p of [this.#now, ...this.#old]) if (p?.actor === actor) this.#end(p, true)
    return true
  }

  #heard(p: Placement, socket: ObjectSocket, text: string): void {
    // Answered by the runtime itself: no event, no storage, whoever the current instance is.
    if (text === 'ping') {
      socket.answeredAt = new Date(p.actor.wallMs)
      if (socket.readyState === 1) socket.send('pong')
      return
    }
    p.actor.soon(() => void this.#event(p, (o) => o.webSocketMessage(socket, text)))
  }

  #closed(p: Placement, socket: ObjectSocket): void {
    p.sockets.delete(socket)
    p.actor.soon(() => void this.#event(p, (o) => o.webSocketClose(socket)))
  }

  // ── What comes from outside ──────────────────────────────────────────────────────────────────

  /** A host asks for a session. */
  connect(
    name: string,
    path: string,
    headers: Record<string, string>,
    weather: Weather,
    end: HostEnd,
  ) {
    const p = this.#placement()
    const socket = new ObjectSocket(this.kernel, name, weather, end)
    p.actor.soon(() => {
      void this.#event(p, async (object) => {
        pairsFrom(() => ({ client: {}, server: socket }))
        const request = new Request(`https://control.test${path}`, { headers })
        const response = await object.fetch(request)
        if (response.status === 101) return end.actor.soon(() => end.opened())
        const text = await response.text()
        const said = Object.fromEntries(response.headers)
        end.actor.soon(() => end.refused(response.status, said, text))
      })
    })
    return socket
  }

  /** A call of the Worker, for an operator. */
  call<T>(work: (object: ClusterObject) => T | Promise<T>): Promise<T | null> {
    const p = this.#placement()
    return this.#event(p, work)
  }

  #armAlarm(): void {
    this.#alarm += 1
    const mine = this.#alarm
    const atMs = this.disk.alarmMs
    if (atMs === null) return
    const { actor } = this.#placement()
    const inMs = Math.max(0, atMs - actor.wallMs) / actor.rate + this.#faults.alarmLateMs()
    this.kernel.at(this.kernel.nowMs + inMs, null, () => {
      if (mine !== this.#alarm || this.disk.alarmMs === null) return
      this.disk.alarmMs = null
      const p = this.#placement()
      p.actor.soon(() => void this.#event(p, (o) => o.alarm()))
    })
  }

  // ── What happens to it ───────────────────────────────────────────────────────────────────────

  /** Hibernation: memory goes, sockets stay. */
  hibernate(): void {
    const p = this.#now
    if (!p || p.gate) return
    p.actor.die()
    p.actor = this.#actor()
    p.object = null
  }

  /** The machine is gone: memory and sockets; the hosts are reset, or find out by their pings. */
  crash(resets: boolean): void {
    const p = this.#now
    if (p) this.#end(p, resets)
  }

  /** Another instance begins elsewhere; this one's runtime answers pings until it is ended. */
  supersede(forMs: number): void {
    const p = this.#now
    if (!p) return
    this.#now = null
    this.#old.add(p)
    this.#placement()
    this.kernel.at(this.kernel.nowMs + forMs, null, () => this.#end(p, true))
  }

  #end(p: Placement, resets: boolean): void {
    p.actor.die()
    for (const ws of p.sockets) ws.vanish(resets)
    p.sockets.clear()
    this.#old.delete(p)
    if (this.#now !== p) return
    this.#now = null
    // An alarm is kept by the storage, and begins another instance.
    if (this.disk.alarmMs !== null) this.kernel.at(this.kernel.nowMs, null, () => this.#armAlarm())
  }
}
