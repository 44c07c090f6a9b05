/**
 * The cluster service on one host: session, replica, duties, offers. It never calls a module and
 * never starts anything: it tells RHS what is wanted, and the guard what was permitted (U2).
 */
import { randomUUID } from 'node:crypto'
import type { AgentToGuard, FromRhs, GuardToAgent } from '../../schema/ipc.ts'
import type { HeldGroup, LocalIntent, ObjectFrame, StatusItem } from '../../schema/session.ts'
import { unreachable } from '../../schema/unreachable.ts'
import { permissions } from '../core/permission.ts'
import { Desks } from './desks.ts'
import { DutyDesk } from './duty-desk.ts'
import type { Identity } from './identity.ts'
import { Isolation, placedOf } from './isolation.ts'
import { localStop, orderStop } from './local-stop.ts'
import type { LocalStops } from './local-stops.ts'
import { MonitorList } from './monitors.ts'
import { memberList, whyRefuse } from './offers.ts'
import type { PeerListen } from './peer-listen.ts'
import type { Replica } from './replica.ts'
import { Seldom } from './seldom.ts'
import { SessionKeeper } from './session-keeper.ts'
import { infoOf, logLine } from './session-words.ts'
import { Soon } from './soon.ts'
import { unhostedNews, whoLacks } from './unhosted.ts'

/** A monitor that is not ready by then has its types told later: a session is not kept waiting. */
const MONITORS_MS = 500
/** How old what `holdfast-probe status` shows may be. */
const INFO_MS = 100

export class Agent {
  readonly #identity: Identity
  readonly #replica: Replica
  readonly #toGuard: (frame: AgentToGuard) => void
  readonly #run = randomUUID()
  readonly #session: SessionKeeper
  readonly #statuses = new Map<string, StatusItem>()
  readonly #desk: DutyDesk
  #grants: HeldGroup[] = []
  #adopted = new Set<string>()
  readonly #localStops: LocalStops
  #boot = ''
  #guard = ''
  readonly #monitors = new MonitorList()
  readonly #isolation = new Isolation((report) => this.#session.tell(report))
  readonly #desks = new Desks(
    {
      session: () => this.#session,
      replica: () => this.#replica,
      duties: () => this.#desk,
      grants: () => this.#grants,
      whyRefuse: (groupId) =>
        this.#mode === 'member'
          ? whyRefuse(groupId, this.#replica.hive, this.#monitors.types, this.#grants)
          : 'this host shuts down',
      toGuard: (frame) => this.#toGuard(frame),
      log: (component, message) => this.#log(component, message),
    },
    this.#monitors,
  )
  /** This session's: the replica has reached its welcome, and everything was told as it is. */
  #compared = false
  /** Local changes that this session's report told of. */
  #toldIntents: readonly LocalIntent[] = []
  readonly #acts = new Soon(() => this.#act())
  readonly #info = new Seldom(INFO_MS, () => this.#tellInfo())
  #mode: 'member' | 'shuttingDown' | 'leaving' = 'member'

  constructor(
    identity: Identity,
    replica: Replica,
    localStops: LocalStops,
    toGuard: (frame: AgentToGuard) => void,
    peers: PeerListen = { off: false, address: null, port: 0 },
  ) {
    this.#identity = identity
    this.#replica = replica
    this.#localStops = localStops
    this.#toGuard = toGuard
    this.#desk = new DutyDesk(toGuard, this.#isolation)
    this.#session = new SessionKeeper(identity, peers, {
      toGuard,
      welcomed: (intents) => this.#welcomed(intents),
      snapshot: (frame) => this.#snapshot(frame),
      updates: (frame) => this.#updates(frame),
      offer: (frame) => this.#desks.offers.take(frame),
      intentsTaken: (intents) => {
        this.#localStops.settle(intents)
        // If the hive has decided otherwise, nothing but this says so again.
        this.#act()
      },
      fence: (order) => void this.#desks.fences.take(order),
      module: (frame) => this.#desks.modules.heard(frame),
      control: (frame) => this.#desks.controls.take(frame),
      couldTake: (frame) => this.#desks.offers.couldTake(frame),
      bye: (code, detail) => this.#bye(code, detail),
      nodeName: (nodeId) => this.#replica.hive.nodes.get(nodeId)?.name ?? nodeId,
      changed: () => this.#info.soon(),
    })
  }

  fromGuard(frame: GuardToAgent): void {
    switch (frame.t) {
      case 'hello':
        this.#boot = frame.boot
        this.#guard = frame.guard
        this.#grants = [...frame.held]
        this.#desk.inherit(frame.held)
        this.#monitors.expect(frame.monitors)
        this.#adopted = new Set(frame.running)
        this.#desks.fences.allow(frame.fence)
        break
      case 'rhsUp':
        this.#monitors.up(frame.monitor)
        this.#isolation.up(frame.monitor)
        this.#desk.rhsRestarted(frame.monitor)
        this.#toGuard({ t: 'toRhs', monitor: frame.monitor, frame: { t: 'tell' } })
        break
      case 'rhsDown':
        this.#monitorDown(frame)
        break
      case 'held':
        this.#report(frame.session, frame.held)
        break
      case 'policyTaken':
        this.#session.tell({ t: 'policyTaken', number: frame.number })
        break
      case 'denied':
        this.#grants = this.#grants.filter(
          (g) => g.groupId !== frame.groupId || g.epoch !== frame.epoch,
        )
        this.#act()
        this.#log('RCM', `grant denied by the guard: ${frame.reason}`, frame.groupId)
        // Ours in the hive, and never to run here: a report without it frees it (S4).
        if (this.#session.seqW !== null) this.#session.close('the guard denied a grant')
        break
      case 'stopped':
        this.#stopped(frame)
        break
      case 'lapsed':
        this.#grants = []
        this.#desk.clear()
        this.#adopted.clear()
        this.#statuses.clear()
        this.#log('NM', `the ${frame.lease} lease ran out: everything is being stopped (L4)`)
        this.#session.close('the lease ran out (L5)')
        break
      case 'fromRhs':
        this.#fromRhs(frame.monitor, frame.frame)
        break
      case 'shutdown':
        this.#shutDown('shuttingDown')
        break
      case 'leave':
        this.#shutDown('leaving')
        break
      case 'stopHere':
      case 'askType':
        void this.#asked(frame)
        break
      case 'granted':
        break
      case 'log':
        this.#session.log(frame.entries)
        break
      case 'stoodStill':
        this.#session.stoodStill('guard', frame.ms)
        break
      default:
        unreachable(frame)
    }
    this.#info.soon()
  }

  async #asked(frame: Extract<GuardToAgent, { t: 'stopHere' | 'askType' }>): Promise<void> {
    const answer =
      frame.t === 'stopHere'
        ? this.#stopHere(frame.resource, frame.kill)
        : await this.#desks.modules.ask(frame.ask)
    this.#toGuard({ t: 'answered', requestId: frame.requestId, answer: answer as never })
  }

  #monitorDown(frame: Extract<GuardToAgent, { t: 'rhsDown' }>): void {
    const { monitor, generation, detail } = frame
    this.#monitors.down(monitor)
    this.#log('RHS', `${monitor} generation ${generation} ended: ${detail}`)
    this.#isolation.down(frame, placedOf(this.#replica.hive, this.#grants, frame.types))
    this.#act()
  }

  #fromRhs(monitor: string, frame: FromRhs): void {
    switch (frame.t) {
      case 'ready': {
        const changed = this.#monitors.ready(monitor, frame)
        this.#desk.holds(monitor, frame.holding)
        if (changed && this.#session.seqW !== null)
          this.#session.tell({ t: 'types', types: this.#monitors.types })
        this.#act()
        // One report with all types, if all come up in time.
        if (!this.#session.begun)
          setTimeout(() => this.#session.connect(), this.#monitors.complete ? 0 : MONITORS_MS)
        break
      }
      case 'status':
        for (const item of frame.items) this.#statuses.set(item.resourceId, item)
        for (const item of frame.items) this.#heardOf(item)
        this.#session.status(frame.items.filter((item) => this.#current(item)))
        this.#acts.soon()
        break
      case 'couldHost':
      case 'controlled':
      case 'received':
      case 'notCarried':
        this.#desks.heard(monitor, frame)
        break
      case 'log':
        this.#session.log(frame.entries)
        break
    }
  }

  #report(session: number, held: readonly HeldGroup[]): void {
    const told = {
      boot: this.#boot,
      guard: this.#guard,
      intents: [...this.#localStops.forReport],
      run: this.#run,
      held: [...held],
      types: this.#monitors.types,
      replica: { seq: this.#replica.hive.seq, hash: this.#replica.hash },
    }
    if (this.#session.report(session, told)) this.#grants = [...held]
  }

  #welcomed(told: readonly LocalIntent[]): void {
    this.#compared = false
    this.#toldIntents = told
    for (const intent of this.#localStops.all)
      if (!told.includes(intent)) this.#session.tellIntent(intent)
    this.#compare()
    if (this.#mode !== 'member') this.#session.tell({ t: 'leaving' })
    this.#finishIfEmpty()
  }

  #snapshot({ part, parts, text, hash }: Extract<ObjectFrame, { t: 'snapshot' }>): void {
    if (!this.#replica.snapshotPart(part, parts, text, hash)) return
    this.#compare()
    this.#act()
  }

  /** A comparison, not a replay: everything as it is now, once the replica knows what it is. */
  #compare(): void {
    const { seqW } = this.#session
    if (seqW === null || this.#compared || this.#replica.hive.seq < seqW) return
    this.#compared = true
    // The hive had them before the welcome, and the replica has what it made of them.
    this.#localStops.settle(this.#toldIntents)
    for (const item of this.#localStops.waited(this.#statuses)) this.#stoppedHere(item)
    this.#replica.current = true
    this.#session.status([...this.#statuses.values()].filter((item) => this.#current(item)))
    this.#session.flushStatus()
  }

  #current(item: StatusItem): boolean {
    const groupId = this.#replica.hive.resources.get(item.resourceId)?.groupId
    return this.#grants.some((g) => g.groupId === groupId && g.epoch === item.epoch)
  }

  /** S4: what we hold is not ours: stop everything and come back with nothing. */
  #bye(code: string, detail: string): void {
    if (code === 'heldNotOwned' || code === 'bootOver') this.#toGuard({ t: 'stopAll' })
    if (code === 'resync') this.#replica.forget()
    if (code === 'closed' && detail === 'left') this.#toGuard({ t: 'left' })
    if (code === 'closed' && detail === 'goodbye' && this.#mode === 'shuttingDown')
      this.#toGuard({ t: 'shutdownDone' })
  }

  #updates(frame: Extract<ObjectFrame, { t: 'updates' }>): void {
    const before = this.#replica.hive.seq
    if (!this.#replica.apply(frame.updates, frame.hash)) {
      this.#replica.forget()
      this.#session.close('a gap in the updates (U3)')
      return
    }
    this.#compare()
    const { nodeId } = this.#identity.file
    const given = permissions(frame.updates, nodeId, before, this.#session.seqW, this.#grants)
    for (const { correlationId, ...grant } of given) {
      const { groupId, epoch } = grant
      this.#toGuard({ t: 'grant', session: this.#session.number ?? 0, ...grant })
      // The guard hears of the grant before it hears of any start: no need to wait for its yes,
      // and if it says no, no start gets past it.
      this.#grants.push({ groupId, epoch })
      this.#log('FM', memberList(groupId, this.#replica.hive), groupId, correlationId)
    }
    this.#act()
  }

  /** Derives the duties anew, and tells RHS and guard what differs from what they were told. */
  #act(): void {
    // An empty replica knows nothing: by it everything would have to be dropped.
    if (!this.#monitors.someReady || this.#replica.hive.seq === 0) return
    this.#desks.copies.look()
    const { hive } = this.#replica
    const lacks = whoLacks(this.#monitors, this.#isolation, hive)
    const problemOf = (type: string) => this.#monitors.problemOf(type)
    const unhosted = unhostedNews(hive, this.#grants, lacks, problemOf, this.#statuses)
    for (const item of unhosted) this.#statuses.set(item.resourceId, item)
    this.#session.status(unhosted)
    this.#desk.act(this.#monitors, {
      nodeId: this.#identity.file.nodeId,
      hive,
      grants: this.#grants,
      current: this.#replica.current,
      statuses: this.#statuses,
      overrides: this.#localStops.overrides,
      unhosted: lacks,
      adopted: this.#adopted,
      // Nobody is there to take our groups one by one: the host stops them itself, in order.
      shutsDown: this.#mode !== 'member' && this.#session.seqW === null,
    })
  }

  #stopped({ groupId, epoch, copy }: Extract<GuardToAgent, { t: 'stopped' }>): void {
    this.#desk.stopped(groupId)
    this.#grants = this.#grants.filter((g) => g.groupId !== groupId || g.epoch !== epoch)
    for (const [id, item] of this.#statuses)
      if (this.#replica.hive.resources.get(id)?.groupId === groupId && item.epoch <= epoch) {
        this.#statuses.delete(id)
        // That it is released says more than any status of its members.
        this.#session.dropStatus(id)
      }
    for (const r of this.#replica.hive.resources.values())
      if (r.groupId === groupId) this.#adopted.delete(r.id)
    const why = this.#mode === 'shuttingDown' ? 'hostShutdown' : 'asked'
    this.#session.tell({ t: 'released', groupId, epoch, why, ...(copy && { copy }) })
    this.#act()
    this.#finishIfEmpty()
  }

  /** Now and then: what time alone has brought about. */
  look(): void {
    if (this.#session.seqW === null) return
    const { hive } = this.#replica
    this.#isolation.look(hive.resources, (type) => !this.#monitors.refuses(type))
    this.#desks.prepares.look(this.#identity.file.nodeId, hive)
  }

  /** The control plane takes our groups one by one; each is stopped in order and released. */
  #shutDown(mode: 'shuttingDown' | 'leaving'): void {
    this.#mode = mode
    if (this.#session.seqW !== null) this.#session.tell({ t: 'leaving' })
    this.#act()
    this.#finishIfEmpty()
  }

  #finishIfEmpty(): void {
    if (this.#mode === 'member' || this.#session.seqW === null) return
    if (this.#grants.length > 0 || this.#desk.waits) return
    this.#session.tell({ t: this.#mode === 'leaving' ? 'leave' : 'goodbye' })
  }

  #heardOf(item: StatusItem): void {
    const { status, resourceId } = item
    if (status === 'offline' || status === 'failed') this.#localStops.done(resourceId)
    if (status === 'stopped') this.#stoppedHere(item)
  }

  /** S-62, S-68: its own manager was told to stop it. The hive follows, now or when it can. */
  #stoppedHere(item: StatusItem): void {
    const { resourceId, epoch, detail } = item
    if (this.#localStops.has(resourceId, epoch)) return
    const { hive, knownSeq } = this.#replica
    // The control plane knows what is wanted; told with 0 it would be older than all that ever was.
    if (Math.max(hive.seq, knownSeq) === 0) return this.#localStops.wait(item)
    const wanted = hive.resources.get(resourceId)?.persistentState
    if (hive.seq > 0 && (wanted !== 1 || !this.#current(item))) return
    const intent = localStop(resourceId, epoch, knownSeq, detail)
    this.#localStops.note(intent)
    this.#session.tellIntent(intent)
    this.#act() // Not soon: settled before RHS was told 0, that 1 is wanted would be no news to it.
  }

  /** `holdfast-probe stop`: durable here before anything is done about it. */
  #stopHere(reference: string, kill: boolean): object {
    const { nodeId } = this.#identity.file
    const stop = orderStop(reference, kill, this.#replica, nodeId, this.#grants, this.#localStops)
    if ('refused' in stop) return stop
    this.#session.tellIntent(stop.intent)
    this.#act()
    return { ok: true, resource: stop.name, toldControlPlane: this.#session.seqW !== null }
  }

  readonly #log = (...line: Parameters<typeof logLine>) => this.#session.log([logLine(...line)])

  /** For `holdfast-probe status`: it has a line for each resource. */
  #tellInfo(): void {
    const [session, replica, { file }] = [this.#session, this.#replica, this.#identity]
    const [stops, { types }] = [this.#localStops.all, this.#monitors]
    const info = infoOf(file, session, replica, stops, types, this.#statuses)
    this.#toGuard({ t: 'info', info })
  }
}
