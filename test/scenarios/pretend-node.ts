/**
 * A node that keeps the rules, with the production `duties` and without processes: what RHS would
 * start is online at once, what it would stop is offline at once, unless the scenario says else.
 */

import { duties } from '../../probe/core/duties.ts'
import type { Carry } from '../../schema/carry.ts'
import type { PolicyTold, Takeover } from '../../schema/fencing.ts'
import { emptyHive, fromDocument, type Hive, toDocument } from '../../schema/hive.ts'
import type { HeldGroup, LocalIntent, StatusItem } from '../../schema/session.ts'
import { applyUpdate, type Update } from '../../schema/update.ts'
import type { Effect } from '../../worker/core/decision.ts'
import type { World } from './world.ts'

/** A session that was refused is tried again after this long. */
const RETRY_MS = 5_000

export class PretendNode {
  readonly id: string
  readonly name: string
  types: string[]
  boot = 1
  /** Number of the last connection; `seqW` is set while it is welcomed. */
  number = 0
  seqW: number | null = null
  /** The policy that its guard acts by. */
  takeover: Takeover = 'lease'
  /** It does not say that it is bound by its lease again. */
  mute = false
  /** Since when nothing of it is heard, though its socket may be open. */
  silentMs: number | null = null
  /** It answers no offer and begins and stops nothing by itself. */
  idle = false
  /** Why it refuses offers, or null. */
  refusal: string | null = null
  /** `ok`, or why state that is to travel from here does not (M3, M7). */
  carries = 'ok'
  /** The migration that it names in its acks, instead of the one that was asked for. */
  acks: string | null = null
  /** `yes`, or why there is no place here for a copy (M1). */
  receives = 'yes'
  /** What could not be carried is said once. */
  readonly #said = new Set<string>()
  readonly #carried = new Map<string, string>()
  /** Resources that cannot be started here: their restart attempts are used up at once. */
  readonly broken = new Set<string>()
  readonly #world: World
  /** Deliberate stops that the hive does not have yet; they outlive a boot. */
  readonly #intents = new Map<string, LocalIntent>()
  #grants: HeldGroup[] = []
  readonly #seen = new Map<string, number>()
  readonly #statuses = new Map<string, StatusItem>()
  #replica: Hive = emptyHive()
  #stoppingUntilMs = 0
  #leaving = false

  constructor(world: World, name: string, types: string[]) {
    this.#world = world
    this.id = world.id('node', name)
    this.name = name
    this.types = types
  }

  /** S3: what runs here or may be restarted here. */
  held(): HeldGroup[] {
    return [...this.#grants]
  }

  intents(): LocalIntent[] {
    return [...this.#intents.values()]
  }

  /** An operator on the host, or the workload's own manager, stops it (S-62, S-68). */
  stopHere(resourceId: string): void {
    const r = this.#replica.resources.get(resourceId)
    const { owner, epoch } = this.#replica.groups.get(r?.groupId ?? '')?.ownership ?? {}
    if (owner !== this.id || epoch === undefined) throw new Error(`not of ${this.name}`)
    const knownSeq = this.#replica.seq
    const intent = {
      resourceId,
      epoch,
      persistentState: 0 as const,
      knownSeq,
      detail: 'on the host',
    }
    this.#intents.set(resourceId, intent)
    this.act()
    if (!this.#hears) return
    const from = { nodeId: this.id, session: this.number }
    this.#world.handle({ type: 'intentReported', ...from, intent })
    this.#intents.delete(resourceId)
  }

  get #hears(): boolean {
    return this.seqW !== null && this.silentMs === null
  }

  // ── Session ──────────────────────────────────────────────────────────────────────────────────

  /** S3: the report is made only once nothing is being stopped by a lapse. */
  connect(): void {
    const world = this.#world
    this.silentMs = null
    if (this.#stoppingUntilMs > world.nowMs) world.at(this.#stoppingUntilMs, () => this.connect())
    else if (this.seqW === null) world.connect(this)
  }

  welcomed(session: number): void {
    const { hive } = this.#world
    this.seqW = hive.seq
    this.number = session
    // U1: the snapshot is knowledge. It creates no grant.
    this.#replica = fromDocument(structuredClone(toDocument(hive)))
    this.#intents.clear()
    const { takeover = 'lease', policyNumber: number = 0 } = hive.cluster ?? {}
    this.told({ takeover, number })
    this.#world.later(() => {
      if (!this.#hears) return
      const items = [...this.#statuses.values()].filter((item) => this.#current(item))
      if (items.length > 0) this.#tell(items)
      this.act()
    })
  }

  /** The takeover policy: to be bound by the lease again is acknowledged (its leases stand here). */
  told({ takeover, number }: PolicyTold): void {
    if (!this.#hears) return
    this.takeover = takeover
    if (takeover === 'fence' || number === 0 || this.mute) return
    const from = { nodeId: this.id, session: this.number }
    this.#world.later(() => {
      if (this.#hears) this.#world.handle({ type: 'policyTaken', ...from, number })
    })
  }

  /** The session is over; without another one the pong lease runs out (L4, L5). */
  sessionEnded(lastAnswerMs: number): void {
    const world = this.#world
    this.seqW = null
    const { ttlMs, stopMs } = world.timing
    const number = this.number
    const over = () => this.number !== number || (this.seqW !== null && this.silentMs === null)
    const beginMs = Math.max(world.nowMs, lastAnswerMs + ttlMs - stopMs)
    world.at(beginMs, () => {
      if (
        over() ||
        this.takeover === 'fence' ||
        this.#grants.length === 0 ||
        this.#stoppingUntilMs > world.nowMs
      )
        return
      world.say(`node ${this.name}: its lease runs out, it stops ${this.#groupNames()} (L4)`)
      // The slowest clock that is allowed, and every moment of T_stop used.
      this.#stoppingUntilMs = lastAnswerMs + Math.floor((ttlMs * 101) / 99)
      world.at(this.#stoppingUntilMs, () => {
        this.#grants = []
        this.#statuses.clear()
        world.say(`node ${this.name}: nothing runs`)
      })
    })
  }

  /** S4: everything is stopped, then it comes back with nothing. */
  refusedBy(code: string): void {
    this.seqW = null
    if (code === 'otherGuard' || code === 'waitsForFence') {
      const { boot } = this
      this.#world.at(this.#world.nowMs + RETRY_MS, () => {
        if (this.boot === boot) this.connect()
      })
    }
    if (code !== 'heldNotOwned' && code !== 'bootOver') return
    this.#grants = []
    this.#statuses.clear()
  }

  crash(): void {
    this.#grants = []
    this.#statuses.clear()
    this.#seen.clear()
    this.#stoppingUntilMs = 0
    this.#leaving = false
    this.boot += 1
    this.takeover = 'lease'
    this.seqW = null
    this.number = -1
  }

  silence(): void {
    this.silentMs ??= this.#world.nowMs
    // It does not know that it is not heard; its lease runs out all the same.
    const { seqW } = this
    this.sessionEnded(this.silentMs)
    this.seqW = seqW
  }

  leaving(): void {
    this.#leaving = true
    this.#world.handle({ type: 'nodeLeaving', nodeId: this.id, session: this.number })
    this.#goodbyeIfEmpty()
  }

  #goodbyeIfEmpty(): void {
    if (!this.#leaving || this.#grants.length > 0 || !this.#hears) return
    this.#leaving = false
    this.#world.handle({ type: 'nodeSaidGoodbye', nodeId: this.id, session: this.number })
  }

  // ── Hive ─────────────────────────────────────────────────────────────────────────────────────

  updates(updates: readonly Update[]): void {
    if (!this.#hears) return
    for (const u of updates) {
      if (u.seq <= this.#replica.seq) continue
      applyUpdate(this.#replica, structuredClone(u))
      const ownership = u.change.table === 'group' ? u.change.value?.ownership : undefined
      if (ownership?.phase !== 'owned' || ownership.owner !== this.id) continue
      // U2, C2: committed after the welcome, and at an epoch that was never seen before.
      if (u.seq <= (this.seqW ?? u.seq)) continue
      if (ownership.epoch <= (this.#seen.get(u.change.id) ?? 0)) continue
      this.#seen.set(u.change.id, ownership.epoch)
      this.#grants.push({ groupId: u.change.id, epoch: ownership.epoch })
    }
    this.act()
  }

  offered({ groupId, epoch, mid }: Extract<Effect, { type: 'offer' }>): void {
    if (!this.#hears || this.idle) return
    const from = { nodeId: this.id, session: this.number, groupId, epoch }
    const place =
      mid === undefined
        ? {}
        : this.receives === 'yes'
          ? { receives: { mid, to: { at: this.name } } }
          : { receivesNot: this.receives }
    if (this.refusal === null) this.#world.handle({ type: 'offerAccepted', ...from, ...place })
    else this.#world.handle({ type: 'offerRefused', ...from, reason: this.refusal })
  }

  /** Brings its world to where its duties are, and reports every round of it. */
  act(): void {
    if (this.idle) return
    for (let round = 0; this.#hears; round += 1) {
      if (round > 100) throw new Error(`node ${this.name} does not come to rest`)
      const due = duties({
        nodeId: this.id,
        hive: this.#replica,
        grants: this.#grants,
        statuses: this.#statuses,
        overrides: new Map(
          this.intents().map((i) => [
            i.resourceId,
            { epoch: i.epoch, how: 'stop' as const, knownSeq: i.knownSeq },
          ]),
        ),
      })
      const items: StatusItem[] = []
      for (const r of due.hold) {
        const known = this.#statuses.get(r.guid)
        const seen = known?.epoch === r.epoch ? known.status : 'offline'
        if (r.target === 1 && seen === 'offline') items.push(this.#start(r.guid, r.epoch))
        if (r.target === 0 && (seen === 'online' || seen === 'failed')) {
          if (r.carry && !this.#carries(r.groupId, r.epoch, r.carry)) continue
          items.push(item(r.guid, r.epoch, 'offline'))
        }
      }
      for (const { groupId, epoch } of due.stop)
        this.release(groupId, epoch, 'asked', this.#carried.get(groupId))
      if (items.length > 0) this.#tell(items)
      if (items.length === 0 && due.stop.length === 0) break
    }
    this.#goodbyeIfEmpty()
  }

  #carries(groupId: string, epoch: number, { mid, method }: Carry): boolean {
    if (this.carries === 'ok') {
      this.#carried.set(groupId, this.acks ?? mid)
      return true
    }
    const what = `${mid} ${method}`
    if (this.#said.has(what)) return false
    this.#said.add(what)
    const from = { nodeId: this.id, session: this.number }
    this.#world.handle({
      ...{ type: 'groupNotCarried', ...from, groupId, epoch, mid, reason: this.carries },
    })
    return false
  }

  #start(resourceId: string, epoch: number): StatusItem {
    const fails = this.broken.has(resourceId)
    return fails
      ? { ...item(resourceId, epoch, 'failed'), gaveUp: true, detail: 'exit 1' }
      : item(resourceId, epoch, 'online')
  }

  /** Something is as the scenario says it is, whatever the duties are. */
  report(found: StatusItem): void {
    this.#tell([found])
  }

  #tell(items: StatusItem[]): void {
    for (const one of items) this.#statuses.set(one.resourceId, one)
    this.#world.handle({ type: 'resourceReported', nodeId: this.id, session: this.number, items })
  }

  release(
    groupId: string,
    epoch: number,
    why: 'asked' | 'hostShutdown' | 'gaveUp',
    copy?: string,
  ): void {
    this.#grants = this.#grants.filter((g) => g.groupId !== groupId)
    const from = { nodeId: this.id, session: this.number }
    const where = copy === undefined ? {} : { copy }
    this.#world.handle({ type: 'groupReleased', ...from, groupId, epoch, why, ...where })
  }

  /** What it holds is forgotten, as if it had ended: the next report leaves it out. */
  drop(groupId: string): void {
    this.#grants = this.#grants.filter((g) => g.groupId !== groupId)
  }

  epochOf(groupId: string): number {
    return this.#grants.find((g) => g.groupId === groupId)?.epoch ?? 0
  }

  #current(one: StatusItem): boolean {
    const groupId = this.#replica.resources.get(one.resourceId)?.groupId
    return this.#grants.some((g) => g.groupId === groupId && g.epoch === one.epoch)
  }

  #groupNames(): string {
    return this.#grants.map((g) => this.#world.named(g.groupId)).join(', ')
  }
}

function item(resourceId: string, epoch: number, status: StatusItem['status']): StatusItem {
  return { resourceId, epoch, status, restarts: 0, gaveUp: false }
}
