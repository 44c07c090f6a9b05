/**
 * Where the Durable Object runs: the production class on storage in memory. It is put to sleep and
 * loses its memory, dies with its sockets, or is superseded by another instance while the old one's
 * runtime goes on answering pings, as the platform is known to do.
 */
import type { Refusal } from '../../schema/errors.ts'
import type { Request as OperatorRequest } from '../../schema/event.ts'
import { pairsFrom } from './fakes/cloudflare.ts'
import { CommitFailed, Died, Disk, FakeStorage, Superseded } from './fakes/storage.ts'
import { Actor, EPOCH_MS, type Kernel } from './kernel.ts'
import { type HostEnd, ObjectSocket, type Trap, type Weather } from './sockets.ts'

/** The production class (worker/cluster-object.ts), as far as the platform calls it. */
export interface ClusterObject {
  fetch(request: Request): Promise<Response>
  webSocketMessage(ws: ObjectSocket, text: string): Promise<void>
  webSocketClose(ws: ObjectSocket): Promise<void>
  alarm(): Promise<void>
  ask(request: OperatorRequest, by: string): { refused: Refusal } | { seq: number }
  read(what: { what: 'hive' }): { seq: number; hash: string } | null
}
export type ClusterClass = new (ctx: object, env: object) => ClusterObject

/** Alarms come late, by up to a minute where the faults say so. */
export interface PlatformFaults {
  alarmLateMs(): number
  /** A superseded instance whose commit fails is reset so much later; its runtime lives until then. */
  hangsMs(): number
  syncMs(): number
  clockRate(): number
}

/** The platform tries a failed alarm again after so long. */
const ALARM_RETRY_MS = 2_000

/** D1 of an organisation that has no webhooks: nothing of it is simulated. */
const NO_ACCOUNTS = {
  prepare: () => ({ bind: () => ({ all: async () => ({ results: [] }), raw: async () => [] }) }),
}

/** One machine that runs an instance, with the sockets that it holds. */
class Placement {
  readonly number: number
  readonly sockets = new Set<ObjectSocket>()
  actor: Actor
  object: ClusterObject | null = null
  /** Waits for `blockConcurrencyWhile`. */
  gate: Promise<unknown> | null = null
  alarmRuns = false
  /** It has written what cannot be committed: nothing of it leaves any more (A3). */
  gated = false
  /** Superseded, it hangs with its first write in vain instead of being reset. */
  hangs = false
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
  /** What the clock of its machines is ahead by, as far as it was stepped (D6). */
  wallOffsetMs = 0
  /** For the next connection of a host, by name. */
  readonly traps = new Map<string, Trap>()
  /** Nobody is there until then: no instance begins. */
  #awayUntilMs = 0

  constructor(kernel: Kernel, Cluster: ClusterClass, faults: PlatformFaults) {
    this.kernel = kernel
    this.#Cluster = Cluster
    this.#faults = faults
    this.disk.onAlarm = () => this.#armAlarm()
    this.disk.onDeath = () => this.crash(true)
  }

  /** The instance of now, begun if there is none. */
  #placement(): Placement {
    if (this.#now) return this.#now
    this.#instances += 1
    const placement = new Placement(this.#instances, this.#actor())
    this.#now = placement
    try {
      this.#wake(placement)
    } catch (error) {
      // Gone while it began: the next call begins another one.
      this.kernel.caught(placement.actor, error)
    }
    return placement
  }

  #actor(): Actor {
    const { wallOffsetMs } = this
    const clock = { rate: this.#faults.clockRate(), wallOffsetMs, bootTrueMs: 0 }
    const actor = new Actor(this.kernel, `object ${this.#instances}`, clock)
    actor.onError = (error) => this.#resets(actor, error)
    return actor
  }

  #wake(p: Placement): ClusterObject {
    if (p.object) return p.object
    this.disk.instance += 1
    const gate = {
      shut: (afterMs: number) => {
        if (p.gated) return
        p.gated = true
        if (p.hangs) return
        const inMs = afterMs + this.#faults.hangsMs()
        this.kernel.at(this.kernel.nowMs + inMs, null, () => this.#end(p, true))
      },
    }
    const syncMs = () => this.#faults.syncMs()
    const storage = new FakeStorage(this.disk, this.disk.instance, syncMs, gate)
    const ctx = {
      storage,
      acceptWebSocket: (ws: ObjectSocket, tags: string[]) => {
        p.sockets.add(ws)
        ws.accepted(
          {
            message: (socket, text) => this.#heard(p, socket, text),
            closed: (socket) => this.#closed(p, socket),
            isGated: () => p.gated,
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
    p.object = p.actor.run(() => new this.#Cluster(ctx, { DB: NO_ACCOUNTS, USAGE: 'off' }))
    return p.object
  }

  /** An event of the instance: after its start, in its own context; a superseded one is ended by it. */
  async #event<T>(
    p: Placement,
    work: (object: ClusterObject) => T | Promise<T>,
  ): Promise<T | null> {
    // Asleep when another instance began: it does not begin anew beside that one.
    if (!p.object && this.#old.has(p)) {
      this.#end(p, true)
      return null
    }
    return p.actor.run(async () => {
      try {
        const object = this.#wake(p)
        while (p.gate) await p.gate
        const answer = await work(object)
        // What waits for a commit that will never be does not leave (A3).
        return p.gated ? null : answer
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
    const platforms = [Superseded, Died, CommitFailed].some((kind) => error instanceof kind)
    if (!platforms) return false
    for (const p of [this.#now, ...this.#old]) if (p?.actor === actor) this.#end(p, true)
    return true
  }

  #heard(p: Placement, socket: ObjectSocket, text: string): void {
    // Answered by the runtime itself: no event, no storage, whoever the current instance is.
    if (text === 'ping') {
      socket.answeredAt = new Date(p.actor.wallMs)
      if (socket.readyState === 1) socket.autoAnswer('pong')
      return
    }
    p.actor.deliver(() => void this.#event(p, (o) => o.webSocketMessage(socket, text)))
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
    const socket = new ObjectSocket(this.kernel, name, weather, end)
    const trap = this.traps.get(name)
    if (trap) socket.trap = trap
    this.traps.delete(name)
    socket.request(() => {
      if (this.#isAway) return socket.answer(() => end.closed(1006, 'nobody is there'))
      const p = this.#placement()
      void this.#event(p, async (object) => {
        pairsFrom(() => ({ client: {}, server: socket }))
        const response = await object.fetch(new Request(`https://control.test${path}`, { headers }))
        if (response.status === 101) return
        const text = await response.text()
        const said = Object.fromEntries(response.headers)
        socket.answer(() => end.refused(response.status, said, text))
      })
    })
    return socket
  }

  /** A call of the Worker, for an operator. */
  call<T>(work: (object: ClusterObject) => T | Promise<T>): Promise<T | null> {
    if (this.#isAway) return Promise.resolve(null)
    const p = this.#placement()
    return this.#event(p, work)
  }

  #armAlarm(): unknown {
    this.#alarm += 1
    const mine = this.#alarm
    const atMs = this.disk.alarmMs
    if (atMs === null) return
    if (this.#isAway) return this.kernel.at(this.#awayUntilMs, null, () => this.#armAlarm())
    const { actor } = this.#placement()
    const inMs = Math.max(0, atMs - actor.wallMs) / actor.rate + this.#faults.alarmLateMs()
    this.kernel.at(this.kernel.nowMs + inMs, null, () => {
      if (mine !== this.#alarm || this.disk.alarmMs === null) return
      if (this.#isAway) return this.#armAlarm()
      this.disk.alarmMs = null
      const p = this.#placement()
      p.actor.soon(() => void this.#rings(p))
    })
  }

  /** At least once: one that fails, or whose instance goes meanwhile, comes again. */
  async #rings(p: Placement): Promise<void> {
    p.alarmRuns = true
    const done = await this.#event(p, async (object) => {
      await object.alarm()
      return true
    })
    p.alarmRuns = false
    if (done === null) this.#ringAgain()
  }

  #ringAgain(): void {
    if (this.disk.alarmMs !== null) return
    this.disk.alarmMs = EPOCH_MS + this.kernel.nowMs + this.wallOffsetMs + ALARM_RETRY_MS
    this.#armAlarm()
  }

  // ── What happens to it ───────────────────────────────────────────────────────────────────────

  /** Sockets of a host that the instance of now holds open, the latest last. */
  socketsOf(hostName: string): ObjectSocket[] {
    const all = [...(this.#now?.sockets ?? [])]
    return all.filter((ws) => ws.hostName === hostName && ws.readyState === 1)
  }

  /** Its process is busy, with this object or with others. */
  slow(forMs: number): void {
    if (this.#now) this.#now.actor.frozenUntilMs = this.kernel.nowMs + forMs
  }

  mend(): void {
    this.disk.failCommits = 0
    this.disk.onSync = () => null
    this.traps.clear()
    this.disk.dieAfterCommit = false
    this.#awayUntilMs = 0
  }

  /** Its wall clock steps, and goes on from there. Alarms are kept by it, timers are not (D6). */
  stepClock(byMs: number): void {
    this.wallOffsetMs += byMs
    for (const p of [this.#now, ...this.#old]) if (p) p.actor.wallOffsetMs = this.wallOffsetMs
    this.#armAlarm()
  }

  /** Hibernation: memory goes, sockets stay. */
  hibernate(): void {
    const p = this.#now
    // Neither in the middle of something, nor while a timer of it is to ring.
    if (!p || p.gate || p.actor.timers > 0) return
    p.actor.die()
    p.actor = this.#actor()
    p.object = null
  }

  /** The machine is gone: memory and sockets; the hosts are reset, or find out by their pings. */
  crash(resets: boolean): void {
    const p = this.#now
    if (p) this.#end(p, resets)
  }

  get #isAway(): boolean {
    return this.kernel.nowMs < this.#awayUntilMs
  }

  /** Down for a while: whoever comes is turned away. */
  away(forMs: number): void {
    this.crash(true)
    this.#awayUntilMs = this.kernel.nowMs + forMs
  }

  /** From being away for good. */
  back(): void {
    this.#awayUntilMs = 0
    this.#armAlarm()
  }

  /** Another instance begins elsewhere; this one's runtime answers pings until it is ended. */
  supersede(forMs: number, hangs = false): void {
    const p = this.#now
    if (!p) return
    p.hangs = hangs
    this.#now = null
    this.#old.add(p)
    if (!this.#isAway) this.#placement()
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
    if (p.alarmRuns) this.#ringAgain()
    else if (this.disk.alarmMs !== null)
      this.kernel.at(this.kernel.nowMs, null, () => this.#armAlarm())
  }
}
