/**
 * The cluster service on one host: session, replica, duties, offers. It never calls a module and
 * never starts anything: it tells RHS what is wanted, and the guard what was permitted (U2).
 */
import { randomUUID } from 'node:crypto'
import type { HostedType } from '../../schema/hive.ts'
import type { AgentToGuard, FromRhs, GuardToAgent, HeldResource, ToRhs } from '../../schema/ipc.ts'
import {
  connectText,
  type HeldGroup,
  type LogEntry,
  type ObjectFrame,
  PROTOCOL,
  type StatusItem,
  sessionText,
} from '../../schema/session.ts'
import type { Timing } from '../../schema/timing.ts'
import { unreachable } from '../../schema/unreachable.ts'
import { duties } from '../core/duties.ts'
import { reconnectDelayMs } from '../core/reconnect.ts'
import type { Identity } from './identity.ts'
import { Link } from './link.ts'
import { Outbox } from './outbox.ts'
import type { Replica } from './replica.ts'
import { type Report, Reports } from './reports.ts'

/** A session that has lasted this long was a good one. */
const LASTING_MS = 3_000

export const VERSION = '0.1.0'

interface Session {
  readonly number: number
  readonly nonce: string
  /** Set by the welcome: only updates behind it are permission (U2). */
  seqW: number | null
  welcomedMs: number
  /** The replica has reached the welcome, and everything was told as it is. */
  compared: boolean
}

export class Agent {
  readonly #identity: Identity
  readonly #replica: Replica
  readonly #toGuard: (frame: AgentToGuard) => void
  readonly #run = randomUUID()
  readonly #reports = new Reports()
  readonly #outbox = new Outbox({
    status: (items) => this.#tell({ t: 'status', items }),
    log: (entries) => {
      if (this.#session?.seqW != null) this.#link?.send({ t: 'log', entries })
    },
  })
  readonly #statuses = new Map<string, StatusItem>()
  readonly #sentHold = new Map<string, string>()
  readonly #stopping = new Map<string, number>()
  #link: Link | null = null
  #session: Session | null = null
  #grants: HeldGroup[] = []
  #boot = ''
  #types: HostedType[] = []
  #rhsReady = false
  /** The replica has been brought up to a welcome: it is not older than any grant. */
  #replicaCurrent = false
  #failures = 0
  #leaseLeftUntil = 0
  #timing: Timing | null = null
  #mode: 'member' | 'shuttingDown' | 'leaving' = 'member'
  #lastProblem = ''

  constructor(identity: Identity, replica: Replica, toGuard: (frame: AgentToGuard) => void) {
    this.#identity = identity
    this.#replica = replica
    this.#toGuard = toGuard
  }

  // ── From the guard ───────────────────────────────────────────────────────────────────────────

  fromGuard(frame: GuardToAgent): void {
    switch (frame.t) {
      case 'hello':
        this.#boot = frame.boot
        this.#grants = [...frame.held]
        break
      case 'rhsUp':
        this.#rhsReady = false
        this.#sentHold.clear()
        this.#toRhs({ t: 'tell' })
        break
      case 'rhsDown':
        this.#rhsReady = false
        this.#log('RHS', `RHS generation ${frame.generation} ended: ${frame.detail}`)
        break
      case 'held':
        this.#report(frame.session, frame.held)
        break
      case 'granted':
        break
      case 'denied':
        this.#grants = this.#grants.filter(
          (g) => g.groupId !== frame.groupId || g.epoch !== frame.epoch,
        )
        this.#act()
        this.#log('RCM', `grant denied by the guard: ${frame.reason}`, frame.groupId)
        // Ours in the hive, and never to run here: a report without it frees it (S4).
        if (this.#session?.seqW != null) this.#link?.close('the guard denied a grant')
        break
      case 'stopped':
        this.#stopped(frame.groupId, frame.epoch)
        break
      case 'lapsed':
        this.#grants = []
        this.#stopping.clear()
        this.#sentHold.clear()
        this.#statuses.clear()
        this.#log('NM', `the ${frame.lease} lease ran out: everything is being stopped (L4)`)
        this.#link?.close('the lease ran out (L5)')
        break
      case 'fromRhs':
        this.#fromRhs(frame.frame)
        break
      case 'shutdown':
        this.#shutDown('shuttingDown')
        break
      case 'leave':
        this.#shutDown('leaving')
        break
      case 'log':
        this.#outbox.log(frame.entries)
        break
      default:
        unreachable(frame)
    }
    this.#info()
  }

  #fromRhs(frame: FromRhs): void {
    switch (frame.t) {
      case 'ready': {
        const changed = JSON.stringify(this.#types) !== JSON.stringify(frame.types)
        this.#types = frame.types
        this.#rhsReady = true
        if (changed && this.#session?.seqW != null) this.#tell({ t: 'types', types: this.#types })
        this.#act()
        if (!this.#link) this.connect()
        break
      }
      case 'status':
        for (const item of frame.items) this.#statuses.set(item.resourceId, item)
        this.#outbox.status(frame.items.filter((item) => this.#current(item)))
        this.#act()
        break
      case 'intent': {
        const { t: _, ...intent } = frame
        this.#tell({ t: 'intent', ...intent })
        break
      }
      case 'log':
        this.#outbox.log(frame.entries)
        break
    }
  }

  // ── Session ──────────────────────────────────────────────────────────────────────────────────

  /** S1: at most one socket; the old one is closed before a new one is opened. */
  connect(): void {
    if (this.#link) return
    const { url, sessionPath, clusterId, nodeId } = this.#identity.file
    const attempt = this.#identity.nextAttempt()
    const address = new URL(sessionPath, url)
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
    const link: Link = new Link(
      address.href,
      {
        'x-holdfast-node': nodeId,
        'x-holdfast-attempt': String(attempt),
        'x-holdfast-signature': this.#identity.sign(connectText(clusterId, nodeId, attempt)),
      },
      {
        frame: (frame) => this.#frame(frame),
        closed: (why) => this.#closed(why),
        renewed: (lease, sentAtMs) => this.#renewed(lease, sentAtMs),
      },
    )
    this.#link = link
  }

  #closed(why: string): void {
    this.#link = null
    // A session that ends as soon as it was welcomed is no success: it may be our own doing.
    const { welcomedMs } = this.#session ?? { welcomedMs: 0 }
    if (welcomedMs > 0 && performance.now() - welcomedMs > LASTING_MS) this.#failures = 0
    if (this.#session) this.#toGuard({ t: 'sessionClosed', session: this.#session.number })
    this.#session = null
    if (why !== this.#lastProblem) process.stderr.write(`holdfast agent: session: ${why}\n`)
    this.#lastProblem = why
    const left = this.#leaseLeftUntil - performance.now()
    const delay = reconnectDelayMs(this.#failures, left, Math.random())
    this.#failures += 1
    setTimeout(() => this.connect(), delay)
    this.#info()
  }

  #frame(frame: ObjectFrame): void {
    switch (frame.t) {
      case 'challenge':
        this.#session = {
          number: frame.session,
          nonce: frame.nonce,
          seqW: null,
          welcomedMs: 0,
          compared: false,
        }
        // S3: the report is made by the guard, after the challenge.
        this.#toGuard({ t: 'challenge', session: frame.session })
        break
      case 'welcome':
        this.#welcomed(frame)
        break
      case 'snapshot': {
        const { part, parts, text, hash } = frame
        if (!this.#replica.snapshotPart(part, parts, text, hash)) break
        this.#compare()
        this.#act()
        break
      }
      case 'updates':
        this.#updates(frame)
        break
      case 'offer':
        this.#answerOffer(frame.groupId, frame.epoch)
        break
      case 'ack':
        this.#reports.acked(frame.n)
        break
      case 'bye':
        this.#bye(frame.code, frame.detail)
        break
      case 'confirmed':
        break
      default:
        unreachable(frame)
    }
    this.#info()
  }

  #report(session: number, held: readonly HeldGroup[]): void {
    if (this.#session?.number !== session) return
    this.#grants = [...held]
    const { clusterId, nodeId } = this.#identity.file
    const { nonce } = this.#session
    this.#link?.send({
      t: 'report',
      session,
      protocol: PROTOCOL,
      boot: this.#boot,
      run: this.#run,
      held: [...held],
      types: this.#types,
      replica: { seq: this.#replica.hive.seq, hash: this.#replica.hash },
      version: VERSION,
      signature: this.#identity.sign(
        sessionText({ clusterId, nodeId, session, nonce, boot: this.#boot }),
      ),
    })
  }

  #welcomed(frame: Extract<ObjectFrame, { t: 'welcome' }>): void {
    if (this.#session?.number !== frame.session) return
    this.#session.seqW = frame.seq
    this.#session.welcomedMs = performance.now()
    this.#lastProblem = ''
    this.#timing = frame.timing
    this.#toGuard({ t: 'welcomed', session: frame.session, timing: frame.timing })
    this.#link?.startLeases(frame.timing, frame.nowMs - Date.now())
    for (const report of this.#reports.pending()) this.#link?.send(report)
    this.#compare()
    if (this.#mode !== 'member') this.#tell({ t: 'leaving' })
    this.#finishIfEmpty()
  }

  /** A comparison, not a replay: everything as it is now, once the replica knows what it is. */
  #compare(): void {
    const session = this.#session
    if (session?.seqW == null || session.compared || this.#replica.hive.seq < session.seqW) return
    session.compared = true
    this.#replicaCurrent = true
    this.#outbox.status([...this.#statuses.values()].filter((item) => this.#current(item)))
    this.#outbox.flushStatus()
  }

  #forgetReplica(): void {
    this.#replica.forget()
    this.#replicaCurrent = false
  }

  #current(item: StatusItem): boolean {
    const groupId = this.#replica.hive.resources.get(item.resourceId)?.groupId
    return this.#grants.some((g) => g.groupId === groupId && g.epoch === item.epoch)
  }

  #renewed(lease: 'pong' | 'authority', sentAtMs: number): void {
    if (this.#session?.seqW == null || !this.#timing) return
    if (lease === 'pong')
      this.#leaseLeftUntil = performance.now() + this.#timing.ttlMs - this.#timing.stopMs
    this.#toGuard({ t: 'renewed', session: this.#session.number, lease, sentAtMs })
  }

  /** S4: what we hold is not ours: stop everything and come back with nothing. */
  #bye(code: string, detail: string): void {
    process.stderr.write(`holdfast agent: the control plane ends the session: ${code}: ${detail}\n`)
    if (code === 'heldNotOwned') this.#toGuard({ t: 'stopAll' })
    if (code === 'resync') this.#forgetReplica()
    if (code === 'closed' && detail === 'left') this.#toGuard({ t: 'left' })
    if (code === 'closed' && detail === 'goodbye') this.#toGuard({ t: 'shutdownDone' })
    this.#link?.close(`${code}: ${detail}`)
  }

  // ── Hive ─────────────────────────────────────────────────────────────────────────────────────

  #updates(frame: Extract<ObjectFrame, { t: 'updates' }>): void {
    const before = this.#replica.hive.seq
    if (!this.#replica.apply(frame.updates, frame.hash)) {
      this.#forgetReplica()
      this.#link?.close('a gap in the updates (U3)')
      return
    }
    this.#compare()
    const session = this.#session
    for (const u of frame.updates) {
      if (u.seq <= before || u.change.table !== 'group') continue
      const ownership = u.change.value?.ownership
      if (ownership?.phase !== 'owned' || ownership.owner !== this.#identity.file.nodeId) continue
      // U2: permission only on the welcomed session, and committed after its welcome.
      if (session?.seqW == null || u.seq <= session.seqW) continue
      if (this.#grants.some((g) => g.groupId === u.change.id && g.epoch === ownership.epoch))
        continue
      const grant = { groupId: u.change.id, epoch: ownership.epoch }
      this.#toGuard({ t: 'grant', session: session.number, ...grant })
      // The guard hears of the grant before it hears of any start: no need to wait for its yes,
      // and if it says no, no start gets past it.
      this.#grants.push(grant)
      this.#log(
        'FM',
        `list for RHS: ${this.#memberList(u.change.id)}`,
        u.change.id,
        ownership.correlationId,
      )
    }
    this.#act()
  }

  /** S-81 step 9: GUID and PersistentState of every member. */
  #memberList(groupId: string): string {
    const members = [...this.#replica.hive.resources.values()].filter((r) => r.groupId === groupId)
    return members.map((r) => `${r.id}=${r.persistentState}`).join(' ') || 'empty'
  }

  /** Derives the duties anew, and tells RHS and guard what differs from what they were told. */
  #act(): void {
    // An empty replica knows nothing: by it everything would have to be dropped.
    if (!this.#rhsReady || this.#replica.hive.seq === 0) return
    const { hold, stop } = duties({
      nodeId: this.#identity.file.nodeId,
      hive: this.#replica.hive,
      grants: this.#grants,
      current: this.#replicaCurrent,
      statuses: this.#statuses,
    })
    const news: HeldResource[] = []
    for (const held of hold) {
      const { hiveSeq: _, ...rest } = held
      const text = JSON.stringify(rest)
      if (this.#sentHold.get(held.guid) === text) continue
      this.#sentHold.set(held.guid, text)
      news.push(held)
    }
    if (news.length > 0) this.#toRhs({ t: 'hold', resources: news })
    const kept = new Set(hold.map((h) => h.guid))
    const gone = [...this.#sentHold.keys()].filter((guid) => !kept.has(guid))
    for (const guid of gone) this.#sentHold.delete(guid)
    if (gone.length > 0) this.#toRhs({ t: 'drop', guids: gone })
    for (const group of stop) {
      if (this.#stopping.get(group.groupId) === group.epoch) continue
      this.#stopping.set(group.groupId, group.epoch)
      this.#toGuard({ t: 'stopGroup', ...group })
    }
  }

  #stopped(groupId: string, epoch: number): void {
    this.#stopping.delete(groupId)
    this.#grants = this.#grants.filter((g) => g.groupId !== groupId || g.epoch !== epoch)
    for (const [id, item] of this.#statuses)
      if (this.#replica.hive.resources.get(id)?.groupId === groupId && item.epoch <= epoch) {
        this.#statuses.delete(id)
        // That it is released says more than any status of its members.
        this.#outbox.drop(id)
      }
    const why = this.#mode === 'shuttingDown' ? 'hostShutdown' : 'asked'
    this.#tell({ t: 'released', groupId, epoch, why })
    this.#act()
    this.#finishIfEmpty()
  }

  /** Target Failover Manager: yes, unless this host could not run it after all (O1, S-07). */
  #answerOffer(groupId: string, epoch: number): void {
    const types = new Set(this.#types.map((t) => t.type))
    const members = [...this.#replica.hive.resources.values()].filter((r) => r.groupId === groupId)
    const missing = members.find((r) => !types.has(r.type))
    const reason =
      this.#mode !== 'member'
        ? 'this host shuts down'
        : missing
          ? `no module for type ${missing.type}`
          : this.#grants.some((g) => g.groupId === groupId)
            ? 'it is still being stopped here'
            : null
    if (reason) this.#link?.send({ t: 'refuse', groupId, epoch, reason })
    else this.#link?.send({ t: 'accept', groupId, epoch })
  }

  // ── Leaving ──────────────────────────────────────────────────────────────────────────────────

  /** The control plane takes our groups one by one; each is stopped in order and released. */
  #shutDown(mode: 'shuttingDown' | 'leaving'): void {
    this.#mode = mode
    if (this.#session?.seqW != null) this.#tell({ t: 'leaving' })
    this.#finishIfEmpty()
  }

  #finishIfEmpty(): void {
    if (this.#mode === 'member' || this.#session?.seqW == null) return
    if (this.#grants.length > 0 || this.#stopping.size > 0) return
    this.#tell({ t: this.#mode === 'leaving' ? 'leave' : 'goodbye' })
  }

  // ── Small things ─────────────────────────────────────────────────────────────────────────────

  #tell(report: Report): void {
    // Reports keep their order: what was gathered before goes first.
    if (report.t !== 'status') this.#outbox.flushStatus()
    const frame = this.#reports.add(report)
    if (this.#session?.seqW != null) this.#link?.send(frame)
  }

  #log(
    component: LogEntry['component'],
    message: string,
    groupId?: string,
    correlationId?: string,
  ): void {
    this.#outbox.log([
      {
        atMs: Date.now(),
        component,
        message: message.slice(0, 1_000),
        ...(groupId !== undefined && { groupId }),
        ...(correlationId !== undefined && { correlationId }),
      },
    ])
  }

  #toRhs(frame: ToRhs): void {
    this.#toGuard({ t: 'toRhs', frame })
  }

  #info(): void {
    this.#toGuard({
      t: 'info',
      info: {
        cluster: this.#identity.file.clusterName,
        url: this.#identity.file.url,
        connected: this.#session?.seqW != null,
        session: this.#session?.number ?? null,
        problem: this.#session?.seqW != null ? '' : this.#lastProblem,
        replica: { seq: this.#replica.hive.seq, hash: this.#replica.hash },
        types: this.#types.map((t) => t.type),
        resources: [...this.#statuses.values()].map((item) => ({
          guid: item.resourceId,
          name: this.#replica.hive.resources.get(item.resourceId)?.name ?? item.resourceId,
          status: item.status,
          epoch: item.epoch,
          restarts: item.restarts,
        })),
      },
    })
  }
}
