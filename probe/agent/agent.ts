/**
 * The cluster service on one host: session, replica, duties, offers. It never calls a module and
 * never starts anything: it tells RHS what is wanted, and the guard what was permitted (U2).
 */
import { randomUUID } from 'node:crypto'
import type { HostedType } from '../../schema/hive.ts'
import type { AgentToGuard, FromRhs, GuardToAgent } from '../../schema/ipc.ts'
import type { HeldGroup, LogEntry, ObjectFrame, StatusItem } from '../../schema/session.ts'
import type { Timing } from '../../schema/timing.ts'
import { unreachable } from '../../schema/unreachable.ts'
import { permissions } from '../core/permission.ts'
import { reconnectDelayMs } from '../core/reconnect.ts'
import { DutyDesk } from './duty-desk.ts'
import type { Identity } from './identity.ts'
import type { Link } from './link.ts'
import { memberList, whyRefuse } from './offers.ts'
import { Outbox } from './outbox.ts'
import type { Replica } from './replica.ts'
import { type Report, Reports } from './reports.ts'
import { logLine, openLink, reportFrame, resourceRows } from './session-words.ts'

interface Session {
  readonly number: number
  readonly nonce: string
  /** Set by the welcome: only updates behind it are permission (U2). */
  seqW: number | null
  welcomedMs: number
  /** The replica has reached the welcome, and everything was told as it is. */
  compared: boolean
}

const newSession = (number: number, nonce: string): Session => ({
  number,
  nonce,
  seqW: null,
  welcomedMs: 0,
  compared: false,
})

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
  readonly #desk: DutyDesk
  #link: Link | null = null
  #session: Session | null = null
  #grants: HeldGroup[] = []
  #adopted = new Set<string>()
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
    this.#desk = new DutyDesk(toGuard)
  }

  fromGuard(frame: GuardToAgent): void {
    switch (frame.t) {
      case 'hello':
        this.#boot = frame.boot
        this.#grants = [...frame.held]
        this.#adopted = new Set(frame.running)
        break
      case 'rhsUp':
        this.#rhsReady = false
        this.#desk.rhsRestarted()
        this.#toGuard({ t: 'toRhs', frame: { t: 'tell' } })
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
        this.#desk.clear()
        this.#adopted.clear()
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

  /** S1: at most one socket; the old one is closed before a new one is opened. */
  connect(): void {
    if (this.#link) return
    this.#link = openLink(this.#identity, {
      frame: (frame) => this.#frame(frame),
      closed: (why) => this.#closed(why),
      renewed: (lease, sentAtMs) => this.#renewed(lease, sentAtMs),
    })
  }

  #closed(why: string): void {
    this.#link = null
    // A session that ends as soon as it was welcomed is no success: it may be our own doing.
    const { welcomedMs } = this.#session ?? { welcomedMs: 0 }
    if (welcomedMs > 0 && performance.now() - welcomedMs > 3_000) this.#failures = 0
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
        this.#session = newSession(frame.session, frame.nonce)
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
    const told = {
      boot: this.#boot,
      run: this.#run,
      held: [...held],
      types: this.#types,
      replica: { seq: this.#replica.hive.seq, hash: this.#replica.hash },
    }
    this.#link?.send(reportFrame(this.#identity, this.#session, told))
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

  #updates(frame: Extract<ObjectFrame, { t: 'updates' }>): void {
    const before = this.#replica.hive.seq
    if (!this.#replica.apply(frame.updates, frame.hash)) {
      this.#forgetReplica()
      this.#link?.close('a gap in the updates (U3)')
      return
    }
    this.#compare()
    const { nodeId } = this.#identity.file
    const given = permissions(frame.updates, nodeId, before, this.#session?.seqW, this.#grants)
    for (const { groupId, epoch, correlationId } of given) {
      const grant = { groupId, epoch }
      this.#toGuard({ t: 'grant', session: this.#session?.number ?? 0, ...grant })
      // The guard hears of the grant before it hears of any start: no need to wait for its yes,
      // and if it says no, no start gets past it.
      this.#grants.push(grant)
      const list = memberList(groupId, this.#replica.hive)
      this.#log('FM', `list for RHS: ${list}`, groupId, correlationId)
    }
    this.#act()
  }

  /** Derives the duties anew, and tells RHS and guard what differs from what they were told. */
  #act(): void {
    // An empty replica knows nothing: by it everything would have to be dropped.
    if (!this.#rhsReady || this.#replica.hive.seq === 0) return
    this.#desk.act({
      nodeId: this.#identity.file.nodeId,
      hive: this.#replica.hive,
      grants: this.#grants,
      current: this.#replicaCurrent,
      statuses: this.#statuses,
      adopted: this.#adopted,
      // Nobody is there to take our groups one by one: the host stops them itself, in order.
      shutsDown: this.#mode !== 'member' && this.#session?.seqW == null,
    })
  }

  #stopped(groupId: string, epoch: number): void {
    this.#desk.stopped(groupId)
    this.#grants = this.#grants.filter((g) => g.groupId !== groupId || g.epoch !== epoch)
    for (const [id, item] of this.#statuses)
      if (this.#replica.hive.resources.get(id)?.groupId === groupId && item.epoch <= epoch) {
        this.#statuses.delete(id)
        // That it is released says more than any status of its members.
        this.#outbox.drop(id)
      }
    for (const r of this.#replica.hive.resources.values())
      if (r.groupId === groupId) this.#adopted.delete(r.id)
    const why = this.#mode === 'shuttingDown' ? 'hostShutdown' : 'asked'
    this.#tell({ t: 'released', groupId, epoch, why })
    this.#act()
    this.#finishIfEmpty()
  }

  #answerOffer(groupId: string, epoch: number): void {
    const reason =
      this.#mode === 'member'
        ? whyRefuse(groupId, this.#replica.hive, this.#types, this.#grants)
        : 'this host shuts down'
    if (reason) this.#link?.send({ t: 'refuse', groupId, epoch, reason })
    else this.#link?.send({ t: 'accept', groupId, epoch })
  }

  /** The control plane takes our groups one by one; each is stopped in order and released. */
  #shutDown(mode: 'shuttingDown' | 'leaving'): void {
    this.#mode = mode
    if (this.#session?.seqW != null) this.#tell({ t: 'leaving' })
    this.#act()
    this.#finishIfEmpty()
  }

  #finishIfEmpty(): void {
    if (this.#mode === 'member' || this.#session?.seqW == null) return
    if (this.#grants.length > 0 || this.#desk.waits) return
    this.#tell({ t: this.#mode === 'leaving' ? 'leave' : 'goodbye' })
  }

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
    this.#outbox.log([logLine(component, message, groupId, correlationId)])
  }

  /** For `holdfast-probe status`. */
  #info(): void {
    const connected = this.#session?.seqW != null
    const { clusterName: cluster, url } = this.#identity.file
    const status = {
      cluster,
      url,
      connected,
      session: this.#session?.number ?? null,
      problem: connected ? '' : this.#lastProblem,
      replica: { seq: this.#replica.hive.seq, hash: this.#replica.hash },
      types: this.#types.map((t) => t.type),
      resources: resourceRows(this.#statuses.values(), this.#replica.hive),
    }
    this.#toGuard({ t: 'info', info: status })
  }
}
