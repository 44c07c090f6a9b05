/** One pretend host on this machine: a complete probe tree with its own folders and node key. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { argumentsOf, identityOf } from '../probe/gate/proc.ts'
import { killHandles } from '../probe/guard/cgroup.ts'
import { askGuard } from '../probe/host/ask-guard.ts'
import { FATAL_EXITS } from '../probe/host/fatal-exits.ts'
import type { HostPolicy } from '../schema/host-policy.ts'
import type { MonitorStatus } from '../schema/host-status.ts'
import type { WorkloadRecord } from '../schema/ipc.ts'
import type { LibvirtHost } from './libvirt-host.ts'

export interface HostOptions {
  readonly name: string
  /** Keeps identity and replica. */
  readonly folder: string
  /** Bundled probe, in a folder with agent and RHS. */
  readonly probe: string
  readonly policy: HostPolicy
  /** Its private libvirtd, where there is one: part of the host, and dies with it. */
  readonly libvirt?: LibvirtHost
  readonly env?: Record<string, string>
  /** A boot id of its own, new with each boot, as machines have it (needs root); else this machine's. */
  readonly ownBoot?: boolean
  /** More words for `holdfast-probe run`. */
  readonly runWords?: readonly string[]
  /** Words before each command of this host that bring it into a namespace of its own. */
  readonly enter?: readonly string[]
  /** Where this host reaches the control plane, if not where everybody does. */
  readonly controlUrl?: string
}

/** What `holdfast-probe status --json` says, as far as tests look at it. */
export interface HostStatus {
  killHandles: 'cgroup' | 'mark'
  guard: {
    pid: number
    leases: { pongEndMs: number | null; authorityEndMs: number | null }
    grants: { groupId: string; epoch: number }[]
    records: WorkloadRecord[]
  }
  agent: {
    pid: number | null
    info: {
      connected: boolean
      session: number | null
      replica: { seq: number; hash: string }
      resources: { name: string; status: string; epoch: number }[]
    } | null
  }
  rhs: { pid: number | null }
  monitors: MonitorStatus[]
}

/**
 * Plays the service manager too: a guard that ends without having been asked to is started again
 * at once, well within T_gap (A6).
 */
export class DemoHost {
  readonly options: HostOptions
  #guard: ChildProcess | null = null
  #wanted = false
  #boot: string = randomUUID()

  constructor(options: HostOptions) {
    this.options = options
    mkdirSync(this.stateFolder, { recursive: true, mode: 0o700 })
    mkdirSync(this.runFolder, { recursive: true, mode: 0o700 })
    const policy = join(options.folder, 'policy.json')
    writeFileSync(policy, JSON.stringify(options.policy, null, 2))
    chmodSync(policy, 0o600)
  }

  get name(): string {
    return this.options.name
  }

  get stateFolder(): string {
    return join(this.options.folder, 'state')
  }

  get runFolder(): string {
    return join(this.options.folder, 'run')
  }

  /** Whether it has power, so to speak: booted, and not cut off since. */
  get isOn(): boolean {
    return this.#wanted
  }

  get guardPid(): number | undefined {
    return this.#guard?.pid
  }

  /** With a real join token, through the real command. @returns whether it was new */
  async join(url: string, token: string): Promise<boolean> {
    const words = ['join', '--url', url, '--name', this.name, '--json', ...this.#folders()]
    const [command = '', ...args] = this.#inside(process.execPath, this.options.probe, ...words)
    const child = promisify(execFile)(command, args, {
      env: { ...process.env, HOLDFAST_JOIN_TOKEN: token },
    })
    return JSON.parse((await child).stdout).changed
  }

  /** `holdfast-probe …` on this host, with its folders; never rejects for what the command says. */
  async command(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const all = this.#inside(process.execPath, this.options.probe, ...words, ...this.#folders())
    const [command = '', ...args] = all
    try {
      return { code: 0, ...(await promisify(execFile)(command, args)) }
    } catch (error) {
      return error as { code: number; stdout: string; stderr: string }
    }
  }

  /** Where it has joined, or null. */
  get url(): string | null {
    try {
      return JSON.parse(readFileSync(join(this.stateFolder, 'identity.json'), 'utf8')).url
    } catch {
      return null
    }
  }

  /** The host boots: its libvirtd first, where it has one. */
  async boot(): Promise<void> {
    const { libvirt } = this.options
    if (libvirt && libvirt.daemonPid() === null) await libvirt.start()
    this.#boot = randomUUID()
    if (this.options.ownBoot)
      for (const name of readdirSync(this.runFolder))
        rmSync(join(this.runFolder, name), { recursive: true, force: true })
    this.start()
  }

  start(): void {
    this.#wanted = true
    const log = openSync(join(this.options.folder, 'probe.log'), 'a')
    const words = [process.execPath, '--max-semi-space-size=1', this.options.probe, 'run']
    const boot = this.#ownBoot()
    const [command = '', ...args] = this.#inside(...boot, ...words, ...this.#runWords())
    const child = spawn(command, args, {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...this.options.env },
      // Of its own process group: a Ctrl-C in the terminal is for the demo, not for its hosts.
      detached: true,
    })
    this.#guard = child
    child.once('exit', (code, signal) => {
      if (this.#guard !== child) return
      this.#guard = null
      if (existsSync(this.options.folder))
        appendFileSync(
          join(this.options.folder, 'probe.log'),
          `runner: guard ended (${signal ?? code})\n`,
        )
      // As the unit of a service manager has it: what time cannot mend is not tried again.
      if (code !== null && FATAL_EXITS.includes(code)) this.#wanted = false
      // A test that is over has taken the host's folder away.
      if (this.#wanted && existsSync(this.options.folder)) this.start()
    })
  }

  /** What lies before the command so that the kernel seems to have been started for it. */
  #ownBoot(): string[] {
    if (!this.options.ownBoot) return []
    const file = join(this.options.folder, `boot-${this.#boot}`)
    writeFileSync(file, `${this.#boot}\n`)
    const bind = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'
    return ['unshare', '--mount', 'sh', '-c', bind, file]
  }

  #inside(...words: string[]): string[] {
    return [...(this.options.enter ?? []), ...words]
  }

  #runWords(): string[] {
    return [...this.#folders(), ...(this.options.runWords ?? [])]
  }

  #folders(): string[] {
    const { folder } = this.options
    return [
      '--state',
      this.stateFolder,
      '--run',
      this.runFolder,
      '--policy',
      join(folder, 'policy.json'),
    ]
  }

  /** Orderly shutdown of the host: SIGTERM to the guard, which has everything released first. */
  async shutDown(timeoutMs = 40_000): Promise<void> {
    this.#wanted = false
    const child = this.#guard
    if (!child) return
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve())
      child.kill('SIGTERM')
      setTimeout(resolve, timeoutMs).unref()
    })
  }

  /**
   * Power cut: SIGKILL to everything at once, workloads included.
   * @returns when it was done, performance.now()
   */
  powerCut(): number {
    this.#wanted = false
    const at = performance.now()
    const status = this.#guard?.pid
    this.killProbe()
    if (status !== undefined) killPid(status)
    this.options.libvirt?.powerCut()
    const handles = killHandles(this.nodeId)
    for (let round = 0; round < 3; round += 1)
      for (const group of handles.groups()) handles.killAll(group)
    return at
  }

  /** The same, and no service manager brings the guard back. */
  killWithoutRunner(): void {
    this.#wanted = false
    this.killProbe()
  }

  /** SIGKILL to guard, agent and resource monitors alone; workloads live on. */
  killProbe(): void {
    const pids = this.treePids()
    for (const pid of [pids.guard, pids.agent, pids.rhs, pids.rhsExec]) if (pid) killPid(pid)
  }

  /** Pids of the tree by /proc: works whatever state the tree is in. */
  treePids(): { guard?: number; agent?: number; rhs?: number; rhsExec?: number } {
    const guard = this.#guard?.pid
    if (guard === undefined) return {}
    const found: ReturnType<DemoHost['treePids']> = { guard }
    for (const pid of childrenOf(guard)) {
      const words = argumentsOf(pid) ?? []
      if (words.some((word) => word.includes('holdfast-agent'))) found.agent = pid
      if (words.some((word) => word.includes('holdfast-rhs'))) {
        if (words.includes('rhs-exec')) found.rhsExec = pid
        else found.rhs = pid
      }
    }
    return found
  }

  get nodeId(): string {
    return JSON.parse(readFileSync(join(this.stateFolder, 'identity.json'), 'utf8')).nodeId
  }

  /** What the guard's door says, or null when nobody answers. */
  async status(): Promise<HostStatus | null> {
    try {
      return (await askGuard(this.runFolder, { do: 'status' })) as HostStatus
    } catch {
      return null
    }
  }

  /** `holdfast-probe stop`: by an operator on this host. */
  stopHere(resource: string, kill = false): Promise<object> {
    return askGuard(this.runFolder, { do: 'stop', resource, kill })
  }
}

export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
      .split(' ')
      .filter(Boolean)
      .map(Number)
      .filter((child) => identityOf(child) !== null)
  } catch {
    return []
  }
}

/** @throws {Error} 0, 1 and below: to the kernel those are whole groups, init, or everybody */
export function killPid(pid: number): void {
  if (!Number.isInteger(pid) || pid <= 1) throw new Error(`${pid} is not the pid of a process`)
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}
