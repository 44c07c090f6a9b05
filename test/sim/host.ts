/** One simulated host: guard, agent and RHS as processes of their own, workloads, files, a network. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { Agent } from '../../probe/agent/agent.ts'
import type { AgentToGuard, FromRhs, GuardToAgent, GuardToRhs } from '../../schema/ipc.ts'
import type { Code } from './code.ts'
import { SimGuard } from './guard.ts'
import { type DialEvents, type Dialled, type HostWorld, livesIn } from './host-world.ts'
import { Actor, actorNow, type Kernel } from './kernel.ts'
import type { Platform } from './platform.ts'
import { Processes } from './processes.ts'
import { type ModuleFaults, SimRhs } from './rhs.ts'
import type { Weather } from './sockets.ts'
import type { Witness } from './witness.ts'

/** A message between two processes of one host. */
const IPC_MS = 0.2
const FORK_MS = 60
/** The service manager brings the guard back within T_gap (A6). */
const GUARD_BACK_MS = 80

export interface HostFaults extends ModuleFaults {
  clockRate(): number
  wallOffsetMs(): number
  killMs(): number
}

export class SimHost {
  readonly name: string
  readonly nodeId: string
  readonly publicKey: string
  readonly weather: Weather
  readonly processes: Processes
  readonly #kernel: Kernel
  readonly #code: Code
  readonly #platform: Platform
  readonly #faults: HostFaults
  readonly #world: HostWorld
  /** What outlives a guard and not a boot: guard.json. */
  readonly #run = { file: null as string | null, fileFull: false }
  #clock = { rate: 1, wallOffsetMs: 0, bootTrueMs: 0 }
  #boot = ''
  on = false
  guard: SimGuard | null = null
  agent: { actor: Actor; agent: Agent } | null = null
  rhs: SimRhs | null = null
  #generation = 0
  /** From the fork on, before there is anything to talk to. */
  #agentActor: Actor | null = null
  #rhsActor: Actor | null = null

  constructor(
    parts: { kernel: Kernel; code: Code; platform: Platform; witness: Witness },
    who: { name: string; clusterId: string; weather: Weather; faults: HostFaults },
  ) {
    const { kernel, code, platform, witness } = parts
    this.#kernel = kernel
    this.#code = code
    this.#platform = platform
    this.name = who.name
    this.weather = who.weather
    this.#faults = who.faults
    this.nodeId = kernel.random.uuid()
    this.processes = new Processes(kernel, witness, who.name)
    this.processes.onEnd = (process) => {
      const { guard } = this
      if (guard) guard.actor.after(1, () => guard.seen(process))
    }
    const { privateKey } = generateKeyPairSync('ed25519')
    this.publicKey = (privateKey.export({ format: 'jwk' }) as { x: string }).x
    this.#world = {
      files: identityFiles(privateKey, { ...who, nodeId: this.nodeId }),
      diskFull: false,
      dial: (url, headers, events) => this.#dial(url, headers, events),
    }
  }

  get world(): HostWorld {
    return this.#world
  }

  get stateFile(): { file: string | null; fileFull: boolean } {
    return this.#run
  }

  // ── Power ────────────────────────────────────────────────────────────────────────────────────

  powerOn(): void {
    if (this.on) return
    this.on = true
    this.#boot = this.#kernel.random.uuid()
    this.#run.file = null
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
    this.#endAgent(silently)
    this.#endRhs()
    this.guard?.actor.die()
    this.guard = null
    this.processes.cut()
  }

  #actor(name: string): Actor {
    const actor = new Actor(this.#kernel, `${this.name} ${name}`, this.#clock)
    livesIn(actor, this.#world)
    return actor
  }

  // ── Guard ────────────────────────────────────────────────────────────────────────────────────

  #startGuard(): void {
    const actor = this.#actor('guard')
    const { killMs } = this.#faults
    const run = this.#run
    this.guard = actor.run(
      () =>
        new SimGuard(actor, {
          code: this.#code,
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
          set fileFull(full) {
            run.fileFull = full
          },
          killMs,
          toAgent: (frame) => this.#toAgent(frame),
          toRhs: (frame) => this.#toRhs(frame),
          killRhs: () => this.killRhs(),
          restartAgentIfItHangs: () => {},
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

  killGuard(): void {
    if (!this.guard) return
    this.guard.actor.die()
    this.guard = null
    // G11: the new one kills the old tree first; the agent's socket ends with it.
    this.#kernel.at(this.#kernel.nowMs + GUARD_BACK_MS, null, () => {
      // A boot in between has brought another one.
      if (!this.on || this.guard) return
      this.#endAgent(false)
      this.#endRhs()
      this.#startGuard()
    })
  }

  // ── Agent ────────────────────────────────────────────────────────────────────────────────────

  #startAgent(): void {
    const { guard } = this
    if (!this.on || !guard || this.#agentActor) return
    const actor = this.#actor('agent')
    this.#agentActor = actor
    actor.after(FORK_MS, () => {
      const { Agent, Identity, LocalStops, Replica } = this.#code
      const toGuard = (frame: AgentToGuard) =>
        void actor.after(
          IPC_MS,
          () => guard.actor.alive && guard.actor.soon(() => guard.fromAgent(frame)),
        )
      const agent = new Agent(
        new Identity('/state'),
        new Replica('/state'),
        new LocalStops('/state'),
        toGuard,
      )
      this.agent = { actor, agent }
      agent.fromGuard(structuredClone(guard.hello()))
      if (this.rhs) agent.fromGuard({ t: 'rhsUp', monitor: 'rhs', generation: this.#generation })
    })
  }

  #toAgent(frame: GuardToAgent): void {
    const { agent } = this
    if (!agent) return
    const copy = structuredClone(frame)
    agent.actor.after(IPC_MS, () => agent.agent.fromGuard(copy))
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
    this.#agentActor?.die()
    this.#agentActor = null
    for (const line of this.#lines) line.end(silently)
    this.#lines.clear()
  }

  // ── RHS ──────────────────────────────────────────────────────────────────────────────────────

  #startRhs(): void {
    const { guard } = this
    if (!this.on || !guard || this.#rhsActor) return
    const actor = this.#actor('rhs')
    this.#rhsActor = actor
    this.#generation += 1
    actor.after(FORK_MS, () => {
      const ask = (work: () => void) =>
        void actor.after(IPC_MS, () => guard.actor.alive && guard.actor.soon(work))
      this.rhs = new SimRhs(
        actor,
        {
          code: this.#code,
          faults: this.#faults,
          toAgent: (frame: FromRhs) => {
            const copy = structuredClone(frame)
            actor.after(IPC_MS, () => this.#toAgent({ t: 'fromRhs', monitor: 'rhs', frame: copy }))
          },
          start: (request) => ask(() => guard.start(request)),
          stop: (resourceId, requestId) => ask(() => guard.stop(resourceId, requestId)),
        },
        guard.records(),
      )
      this.#toAgent({ t: 'rhsUp', monitor: 'rhs', generation: this.#generation })
    })
  }

  #toRhs(frame: GuardToRhs): void {
    const { rhs } = this
    if (!rhs) return
    const copy = structuredClone(frame)
    rhs.actor.after(IPC_MS, () => rhs.fromGuard(copy))
  }

  killRhs(): void {
    if (!this.#rhsActor) return
    this.#endRhs()
    const { guard } = this
    this.#toAgent({ t: 'rhsDown', monitor: 'rhs', generation: this.#generation, detail: 'SIGKILL' })
    guard?.actor.after(20, () => this.#startRhs())
  }

  #endRhs(): void {
    this.rhs = null
    this.#rhsActor?.die()
    this.#rhsActor = null
  }

  // ── Network ──────────────────────────────────────────────────────────────────────────────────

  readonly #lines = new Set<Dialled>()

  #dial(url: string, headers: Record<string, string>, events: DialEvents): Dialled {
    const agent = actorNow() as Actor
    let open = true
    const socket = this.#platform.connect(
      this.name,
      new URL(url).pathname,
      { ...headers, upgrade: 'websocket' },
      this.weather,
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
        this.#lines.delete(line)
        socket.endedByHost(silently)
      },
    }
    this.#lines.add(line)
    return line
  }
}

function identityFiles(
  key: KeyObject,
  who: { name: string; nodeId: string; clusterId: string },
): Map<string, string> {
  const identity = {
    nodeId: who.nodeId,
    nodeName: who.name,
    clusterId: who.clusterId,
    clusterName: 'prod',
    url: 'https://control.test',
    sessionPath: '/v1/sessions/prod',
  }
  return new Map([
    ['/state/identity.json', JSON.stringify(identity)],
    ['/state/identity.key', String(key.export({ type: 'pkcs8', format: 'pem' }))],
  ])
}
