/** One simulated host: guard, agent and RHS as processes of their own, workloads, files, a network. */

import type { Agent } from '../../probe/agent/agent.ts'
import type { Replica } from '../../probe/agent/replica.ts'
import type { GuardFile } from '../../probe/core/guard.ts'
import type { AgentToGuard, FromRhs, GuardToAgent, GuardToRhs } from '../../schema/ipc.ts'
import { copyOf } from './copy.ts'
import { publicKeyOf } from './fakes/crypto.ts'
import { WATCHDOG } from './fakes/fs.ts'
import { SimGuard } from './guard.ts'
import { type HostFaults, type ModuleState, outOfOrder, WELL } from './host-faults.ts'
import type { HostParts } from './host-parts.ts'
import { type HostWorld, livesIn } from './host-world.ts'
import { identityFiles } from './identity-files.ts'
import { Actor, type Kernel } from './kernel.ts'
import { Lines } from './lines.ts'
import { Manager } from './manager.ts'
import { Pipe } from './pipe.ts'
import { Processes } from './processes.ts'
import { SimRhs } from './rhs.ts'
import type { Weather } from './sockets.ts'
import { WatchdogDevice } from './watchdog-device.ts'

const FORK_MS = 60
/** From a reset by the watchdog until the machine is up again. */
const RESET_MS = 300
/** An agent that says nothing after a lapse is replaced after so long. */
const AGENT_WORD_MS = 10_000

export class SimHost {
  readonly name: string
  readonly clusterId: string
  readonly weather: Weather
  readonly processes: Processes
  readonly manager: Manager
  modules: ModuleState = { ...WELL }
  readonly #parts: HostParts
  readonly #kernel: Kernel
  readonly #faults: HostFaults
  readonly world: HostWorld
  /** What outlives a guard, and on most hosts no boot: guard.json. */
  readonly #run = { file: null as GuardFile | null, fileFull: false }
  #clock = { rate: 1, wallOffsetMs: 0, bootTrueMs: 0 }
  #boot = ''
  nodeId = ''
  publicKey = ''
  on = false
  /** As `holdfast-probe status` says. */
  inSession = false
  /** Whether packets of peers come and go. */
  lan = true
  guard: SimGuard | null = null
  agent: { actor: Actor; agent: Agent; replica: Replica; pipe: Pipe } | null = null
  rhs: SimRhs | null = null
  #generation = 0
  #mended = false
  /** From the fork on, before there is anything to talk to. */
  #agentActor: Actor | null = null
  #rhsActor: Actor | null = null
  #rhsPipe: Pipe
  #lines: Lines
  readonly #forgotten: Actor[] = []

  constructor(
    parts: HostParts,
    who: { name: string; clusterId: string; weather: Weather; faults: HostFaults },
  ) {
    this.#parts = parts
    this.#kernel = parts.kernel
    this.name = who.name
    this.clusterId = who.clusterId
    this.weather = who.weather
    this.#faults = outOfOrder(who.faults, () => this.modules, parts.kernel)
    this.#rhsPipe = this.#pipe()
    this.processes = new Processes(parts.kernel, parts.witness, who.name)
    this.processes.onEnd = (process) => this.guard?.endsSoon(process)
    this.manager = new Manager({
      kernel: parts.kernel,
      processes: this.processes,
      lateMs: () => this.#faults.managerLateMs(),
      fate: (to) => this.#faults.fate(to),
      other: (host) => parts.managers.get(host),
      copiesRun: parts.code.shellWithout === 'M2',
      mayPass: (ask, process, incoming) => {
        const { guard } = this
        if (!this.on || !guard || guard.actor.frozenUntilMs > this.#kernel.nowMs) return null
        return guard.actor.run(() => guard.gateAsks(ask.gateName, process, incoming))
      },
    })
    parts.managers.set(who.name, this.manager)
    const { watchdogMs } = this.#faults
    this.#lines = new Lines(parts.platform, who.name, who.weather)
    this.world = {
      files: new Map(),
      diskFull: false,
      writesLeft: Number.POSITIVE_INFINITY,
      died: () => this.killAgent(),
      address: '',
      hears: null,
      tellPeer: () => {},
      fence: async () => ({ outcome: 'failed', detail: 'there is no plug' }),
      switchOn: () => {},
      watchdog:
        watchdogMs === null
          ? null
          : new WatchdogDevice(parts.kernel, watchdogMs, () => this.#reset()),
      dial: (url, headers, events) => this.#lines.dial(url, headers, events),
    }
    this.reinstall()
  }

  /** Nothing is wrong with it any more. */
  mend(): void {
    this.#mended = true
    this.modules = { ...WELL }
    this.lan = true
    Object.assign(this.weather, { up: true, down: true, loss: 0 })
    this.world.diskFull = false
    this.world.writesLeft = Number.POSITIVE_INFINITY
    this.#run.fileFull = false
    this.manager.goneUntilMs = 0
    if (this.guard) {
      this.guard.effectsLeft = Number.POSITIVE_INFINITY
      this.guard.diesBehindStop = this.guard.endsUnstarted = null
    }
    this.powerOn()
  }

  /** The boot of now; what ran under another one is over. */
  get boot(): string {
    return this.#boot
  }

  get stateFile(): { file: GuardFile | null; fileFull: boolean } {
    return this.#run
  }

  // ── Power ────────────────────────────────────────────────────────────────────────────────────

  /** A host as new: nothing of what it was remains on its disk. */
  reinstall(): void {
    const privateKey = this.#kernel.random.uuid()
    this.nodeId = this.#kernel.random.uuid()
    this.processes.nodeId = this.nodeId
    this.publicKey = publicKeyOf(privateKey)
    this.world.files.clear()
    for (const [path, text] of identityFiles(privateKey, this)) this.world.files.set(path, text)
  }

  powerOn(): void {
    if (this.on) return
    this.on = true
    this.#boot = this.#kernel.random.uuid()
    if (!this.#faults.runFolderLasts) this.#run.file = null
    this.#clock = {
      rate: this.#faults.clockRate(),
      wallOffsetMs: this.#faults.wallOffsetMs(),
      bootTrueMs: this.#kernel.nowMs,
    }
    this.#startGuard()
  }

  powerCut(silently: boolean): void {
    if (!this.on) return
    this.on = false
    this.world.watchdog?.disarm()
    this.#endAgent(silently)
    this.#endRhs()
    this.guard?.actor.die()
    this.guard = null
    this.processes.cut()
    for (const actor of this.#forgotten.splice(0)) actor.die()
  }

  /** By its watchdog device. */
  #reset(): void {
    this.powerCut(true)
    this.#kernel.at(this.#kernel.nowMs + RESET_MS, null, () => this.powerOn())
  }

  /** The host's own shutdown: everything is released in order, then the power goes. */
  shutDown(): void {
    const { guard } = this
    if (!guard?.actor.alive) return this.powerCut(false)
    guard.actor.soon(() => guard.shutDown())
  }

  /** Processes of this host, from the innermost on. */
  actors(): Actor[] {
    return [this.guard?.actor, this.#agentActor, this.#rhsActor].filter((actor) => actor != null)
  }

  #actor(name: string): Actor {
    const awaits = name === 'agent'
    const actor = new Actor(this.#kernel, `${this.name} ${name}`, this.#clock, awaits)
    actor.frozenUntilMs = this.processes.frozenUntilMs
    livesIn(actor, this.world)
    return actor
  }

  readonly #pipe = () => new Pipe(this.#kernel, () => this.#faults.ipcMs())

  // ── Guard ────────────────────────────────────────────────────────────────────────────────────

  #startGuard(): void {
    const actor = this.#actor('guard')
    const run = this.#run
    this.guard = actor.run(
      () =>
        new SimGuard(actor, {
          code: this.#parts.code,
          processes: this.processes,
          boot: this.#boot,
          get file() {
            return run.file
          },
          set file(text) {
            run.file = text
          },
          get fileFull() {
            return run.fileFull
          },
          watchdog: this.#watchdogPolicy,
          killMs: this.#faults.killMs,
          leftMs: this.#faults.leftMs,
          toAgent: (frame) => this.#toAgent(frame),
          toRhs: (frame) => this.#toRhs(frame),
          killRhs: () => this.killRhs(),
          expectWord: () => this.#expectWord(actor),
          ended: (how) => this.#guardEnded(how),
        }),
    )
    const { guard } = this
    const begin = () => {
      if (guard.strays) return void guard.actor.after(2, begin)
      this.#startRhs()
      this.#startAgent()
    }
    guard.actor.after(FORK_MS, begin)
  }

  #guardEnded(how: 'shutdown' | 'gaveUp' | 'crash'): void {
    if (how === 'crash') return this.killGuard()
    this.powerCut(false)
    // Nobody leaves a host off after a bad day; one whose probe has given up is another matter.
    if (how === 'shutdown' && this.#mended) this.powerOn()
  }

  get #watchdogPolicy() {
    const timeoutMs = this.#faults.watchdogMs
    return timeoutMs === null ? null : { device: WATCHDOG, timeoutMs }
  }

  /** A6 broken: nobody brings it back, and its tree ends with it. The watchdog is what is left. */
  killGuardForGood(): void {
    if (!this.guard || this.#faults.watchdogMs === null) return
    this.guard.actor.die()
    this.guard = null
    this.#endAgent(false)
    this.#endRhs()
  }

  killGuard(): void {
    if (!this.guard) return
    this.guard.actor.die()
    this.guard = null
    // G11: the new one kills the old tree first; the agent's socket ends with it.
    this.#kernel.at(this.#kernel.nowMs + this.#faults.guardBackMs(), null, () => {
      // A boot in between has brought another one.
      if (!this.on || this.guard) return
      if (this.#parts.code.shellWithout === 'G11') this.#forgetTree()
      this.#endAgent(false)
      this.#endRhs()
      this.#startGuard()
    })
  }

  /** It lives until the power goes, and nobody looks after it. */
  #forgetTree(): void {
    for (const actor of [this.#agentActor, this.#rhsActor]) if (actor) this.#forgotten.push(actor)
    this.agent = this.#agentActor = this.rhs = this.#rhsActor = null
    this.#lines = new Lines(this.#parts.platform, this.name, this.weather)
  }

  // ── Agent ────────────────────────────────────────────────────────────────────────────────────

  #startAgent(): void {
    const { guard } = this
    if (!this.on || !guard || this.#agentActor) return
    const actor = this.#actor('agent')
    this.#agentActor = actor
    actor.after(FORK_MS, () => {
      const { Agent, Identity, LocalStops, Replica } = this.#parts.code
      // What is on the pipe arrives, whatever becomes of who wrote it.
      const pipe = this.#pipe()
      const toGuard = (frame: AgentToGuard) => {
        if (frame.t === 'info') this.inSession = (frame.info as { connected: boolean }).connected
        pipe.write(guard.actor, () => guard.fromAgent(frame))
      }
      const replica = new Replica('/state')
      const agent = new Agent(new Identity('/state'), replica, new LocalStops('/state'), toGuard)
      this.agent = { actor, agent, replica, pipe: this.#pipe() }
      agent.fromGuard(copyOf(guard.hello()))
      if (this.rhs) agent.fromGuard({ t: 'rhsUp', monitor: 'rhs', generation: this.#generation })
    })
  }

  #toAgent(frame: GuardToAgent): void {
    const { agent } = this
    if (!agent) return
    const copy = copyOf(frame)
    agent.pipe.write(agent.actor, () => agent.agent.fromGuard(copy))
  }

  killAgent(): void {
    this.#endAgent(false)
    const { guard } = this
    guard?.actor.after(2, () => {
      guard.agentEnded()
      this.#startAgent()
    })
  }

  #endAgent(silently: boolean): void {
    this.agent = null
    this.inSession = false
    this.world.hears = null
    this.#agentActor?.die()
    this.#agentActor = null
    this.#lines.endAll(silently)
  }

  #expectWord(guard: Actor): void {
    const expected = this.#agentActor
    guard.after(AGENT_WORD_MS, () => {
      const hangs = expected && expected.frozenUntilMs > this.#kernel.nowMs
      if (hangs && this.#agentActor === expected) this.killAgent()
    })
  }

  // ── RHS ──────────────────────────────────────────────────────────────────────────────────────

  #startRhs(): void {
    const { guard } = this
    if (!this.on || !guard || this.#rhsActor) return
    const actor = this.#actor('rhs')
    this.#rhsActor = actor
    this.#generation += 1
    actor.after(FORK_MS, () => {
      const lateMs = () => this.#faults.ipcMs() + this.modules.askLateMs
      const [toGuard, toAgent] = [new Pipe(this.#kernel, lateMs), this.#pipe()]
      this.#rhsPipe = this.#pipe()
      const ask = (work: () => void) => toGuard.write(guard.actor, work)
      this.rhs = new SimRhs(
        actor,
        {
          code: this.#parts.code,
          faults: this.#faults,
          manager: this.manager,
          toAgent: (frame: FromRhs) => {
            const copy = copyOf(frame)
            toAgent.write(null, () => this.#toAgent({ t: 'fromRhs', monitor: 'rhs', frame: copy }))
          },
          start: (request) => ask(() => guard.start(request)),
          permit: (request, gateName) => ask(() => guard.permit(request, gateName)),
          aboutCopy: (event) => ask(() => guard.aboutCopy(event)),
          executes: (ref) => Boolean(this.processes.find(ref)?.running),
          hostName: this.name,
          stop: (resourceId, requestId) => ask(() => guard.stop(resourceId, requestId)),
          crashed: () => this.killRhs(),
        },
        guard.records(),
        (process) => this.processes.lives(process),
      )
      this.#toAgent({ t: 'rhsUp', monitor: 'rhs', generation: this.#generation })
    })
  }

  #toRhs(frame: GuardToRhs): void {
    const { rhs } = this
    if (!rhs) return
    const copy = copyOf(frame)
    this.#rhsPipe.write(rhs.actor, () => rhs.fromGuard(copy))
  }

  killRhs(): void {
    if (!this.#rhsActor) return
    this.#endRhs()
    const { guard } = this
    guard?.rhsEnded()
    this.#toAgent({ t: 'rhsDown', monitor: 'rhs', generation: this.#generation, detail: 'SIGKILL' })
    guard?.actor.after(20, () => this.#startRhs())
  }

  #endRhs(): void {
    this.rhs = null
    this.#rhsActor?.die()
    this.#rhsActor = null
  }
}
