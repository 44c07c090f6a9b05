/**
 * The resource monitors of this host (S-23): one shared process for the modules in TypeScript, one
 * for those whose code is an operator's executable, and of each kind one more for every resource that
 * is to be alone (S-29). Each is supervised for itself; the end of one is nothing to the others (S-21).
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { HostPolicy, MonitorLimits } from '../../schema/host-policy.ts'
import type { MonitorStatus, MonitorTables } from '../../schema/host-status.ts'
import { isSeparate } from '../../schema/ids.ts'
import type { GuardToRhs } from '../../schema/ipc.ts'
import type { LastCall, LastSeen } from '../../schema/last-calls.ts'
import type { ModulePin, RefusedModule } from '../../schema/module-pins.ts'
import { bootMs } from '../clock.ts'
import { type Death, type Ending, suspectsOf } from '../core/suspects.ts'
import { readRing, ringPath, underWay } from '../os/call-ring.ts'
import { withReserve } from '../reserve.ts'
import type { KillHandles } from './cgroup.ts'
import { Imports } from './imports.ts'
import { CgroupLimits, heapMbOf, limitsOf } from './monitor-limits.ts'
import type { GuardOptions } from './options.ts'
import { complain } from './policy.ts'
import { TreeChild } from './tree.ts'
import { TREE_GROUP } from './tree-name.ts'

/** A monitor that has not said what it holds by then is shown without it. */
const TABLES_MS = 1_000
/** One that is no longer wanted has so long to let go of what it holds. */
const RETIRE_MS = 1_000
/** After SIGKILL, until its groups are empty. */
const GONE_MS = 1_000
const DEATHS_KEPT = 20
/** How often a new monitor is put into its kill group before it is given up. */
const ENTER_TRIES = 3

/** Which monitors this host needs: a process costs memory, so only where the policy allows a type. */
export function monitorsOf(policy: HostPolicy, pins: readonly ModulePin[]): string[] {
  const exec = policy.script || policy.ocf || pins.some((pin) => pin.host === 'rhs-exec')
  return exec ? ['rhs', 'rhs-exec'] : ['rhs']
}

export interface MonitorEvents {
  message(monitor: string, frame: unknown): void
  up(monitor: string, generation: number): void
  /** @param lost whose module it was, as far as that can be told, and the last calls */
  down(monitor: string, generation: number, detail: string, lost: Lost | null): void
}

export interface Lost extends LastSeen {
  readonly suspects: string[]
  /** Types whose module it has not lived through importing. */
  readonly types?: string[]
  readonly calls: LastCall[]
}

/** What is known of those before. */
interface Past {
  readonly deaths: Death[]
  /** By the monitor itself: whose call has not come back. */
  accused: readonly string[]
}

interface Monitor {
  readonly child: TreeChild
  /** Kill group of those that start processes of their own, the actions of scripts, or are limited. */
  readonly group: string | null
  readonly past: Past
  /** It is to end then, unless it is wanted again before. */
  retires: NodeJS.Timeout | null
}

type Tables = MonitorTables | 'no answer'
type Answer = Omit<Extract<GuardToRhs, { t: 'answer' }>, 't'>

export class Monitors {
  readonly #file: string
  readonly #runFolder: string
  readonly #handles: KillHandles
  readonly #events: MonitorEvents
  readonly #monitors = new Map<string, Monitor>()
  /** Who waits for which answer of the guard. */
  readonly #asked = new Map<number, string>()
  readonly #policy: MonitorLimits | undefined
  readonly #limits: CgroupLimits
  readonly #imports = new Imports()
  readonly #tables = new Map<number, { from: string; come: (tables: Tables) => void }>()
  #nextTables = 1

  constructor(
    { rhsFile, runFolder, nodeId }: Pick<GuardOptions, 'rhsFile' | 'runFolder' | 'nodeId'>,
    names: readonly string[],
    handles: KillHandles,
    events: MonitorEvents,
    limits?: MonitorLimits,
  ) {
    this.#policy = limits
    this.#limits = new CgroupLimits(nodeId, (what) => complain('limits', what))
    this.#limits.end()
    this.#file = rhsFile
    this.#runFolder = runFolder
    this.#handles = handles
    this.#events = events
    for (const name of names) this.#add(name)
  }

  #add(name: string): TreeChild {
    const [handles, events, own] = [this.#handles, this.#events, TREE_GROUP]
    const past: Past = { deaths: [], accused: [] }
    const limits = limitsOf(this.#policy, name)
    const alone = name.startsWith('rhs-exec') || limits !== null
    const group = alone ? `${own}-${name.replace(':', '-')}` : null
    // S-31: a module has no business with identity or replica: it is not told where they are.
    const child = new TreeChild(
      this.#file,
      [name],
      // Only whoever runs this guard writes there: what lies in it is executed.
      { ...handles.mark(group ?? own), NODE_COMPILE_CACHE: join(this.#runFolder, 'compiled') },
      {
        message: (frame) => events.message(name, frame),
        up: (generation) => {
          const { pid } = child
          // In the guard's own group what it calls would not be killed with it: another is tried.
          if (group && pid !== undefined && !this.#enters(group, pid)) return child.kill()
          if (group && limits && pid !== undefined)
            this.#limits.apply(group, pid, limits, handles.folder(group))
          events.up(name, generation)
        },
        down: (generation, how, killed, seen) => {
          const atLimit = group !== null && this.#limits.wasKilled(group, handles.folder(group))
          const [ending, detail] = atLimit
            ? (['exit', `at its memory limit of ${limits?.memoryMb} MB; ${how}`] as const)
            : [killed, how]
          // What it was calling goes with it: nobody is left to end it in time.
          if (group) handles.killAll(group)
          for (const [id, who] of this.#asked) if (who === name) this.#asked.delete(id)
          for (const { from, come } of this.#tables.values()) if (from === name) come('no answer')
          // By what it was doing then one can tell whose module it was.
          const calls = readRing(ringPath(this.#runFolder, name))
          const doing = underWay(calls, bootMs())
          const more = doing === null ? '' : `; under way: ${doing}`
          const types = this.#imports.died(name, calls, ending, detail, bootMs())
          const lost = lostWith(past, calls, ending, types)
          events.down(name, generation, `${detail}${more}`, lost && { ...lost, ...seen })
        },
      },
      { heapMb: heapMbOf(limits) },
    )
    this.#monitors.set(name, { child, group, past, retires: null })
    return child
  }

  /** S-29: these and no others. Each begins at once; one that is not wanted any more lets go first. */
  separate(names: readonly string[]): void {
    const wanted = new Set(names)
    for (const name of wanted) {
      const monitor = this.#monitors.get(name)
      if (!monitor) this.#add(name).start()
      else if (monitor.retires) {
        clearTimeout(monitor.retires)
        monitor.retires = null
      }
    }
    for (const [name, monitor] of this.#monitors)
      if (isSeparate(name) && !wanted.has(name))
        monitor.retires ??= setTimeout(() => this.#retire(name, monitor), RETIRE_MS)
  }

  #retire(name: string, { child, group }: Monitor): void {
    this.#monitors.delete(name)
    this.#imports.forget(name)
    child.end()
    if (group) this.#handles.killAll(group)
    if (group) setTimeout(() => this.#limits.remove(group), GONE_MS).unref()
    rmSync(ringPath(this.#runFolder, name), { force: true })
  }

  /** Before it can have started anything: it waits for its first frame. */
  #enters(group: string, pid: number): boolean {
    for (let tries = 1; ; tries += 1)
      try {
        withReserve(() => this.#handles.enter(group, pid))
        return true
      } catch {
        if (tries === ENTER_TRIES) return false
      }
  }

  start(): void {
    for (const { child } of this.#monitors.values()) child.start()
  }

  /** Those that run now. */
  up(): { monitor: string; generation: number }[] {
    return [...this.#monitors]
      .filter(([, { child }]) => child.pid !== undefined)
      .map(([monitor, { child }]) => ({ monitor, generation: child.generation }))
  }

  send(monitor: string, frame: GuardToRhs): void {
    this.#monitors.get(monitor)?.child.send(frame)
  }

  /** News of a workload: whoever knows the resource makes something of it. */
  sendAll(frame: GuardToRhs): void {
    for (const { child } of this.#monitors.values()) child.send(frame)
  }

  /** The answer to this request belongs to this monitor. */
  asks(monitor: string, requestId: number): void {
    this.#asked.set(requestId, monitor)
  }

  answer(answer: Answer): void {
    const monitor = this.#asked.get(answer.requestId)
    this.#asked.delete(answer.requestId)
    if (monitor !== undefined) this.send(monitor, { t: 'answer', ...answer })
  }

  /** S-32: a sign of life, and by when the next one has to come. */
  alive(monitor: string, withinMs: number | null): void {
    this.#monitors.get(monitor)?.child.expectWords(withinMs)
  }

  /** Its neighbours are not to wait for a new one to be started, should it come to that. */
  late(monitor: string): void {
    this.#monitors.get(monitor)?.child.prepare()
  }

  /** Calls of these resources have not come back, and never will. */
  hangs(name: string, resources: readonly string[], detail: string): void {
    const monitor = this.#monitors.get(name)
    if (!monitor) return
    monitor.past.accused = resources
    monitor.child.hangs(`it hangs: ${detail}; SIGKILL`)
  }

  /** What a monitor is not to import. */
  refusedIn(monitor: string): RefusedModule[] {
    return this.#imports.refusedIn(monitor)
  }

  get refusesSome(): boolean {
    return this.#imports.some
  }

  notImported(monitor: string, refused: RefusedModule): void {
    this.#imports.refuse(monitor, refused)
  }

  /** All begin anew, with the modules that there are now; what they held is adopted (G8). */
  renew(names: readonly string[]): void {
    this.#imports.forget()
    for (const name of names) if (!this.#monitors.has(name)) this.#add(name).start()
    this.kill('all')
  }

  /** G5: it may hold an open yes, and so may what it has called. New ones follow. */
  kill(which: string): void {
    for (const [name, { child, group }] of this.#monitors) {
      if (which !== 'all' && which !== name) continue
      child.kill()
      if (group) this.#handles.killAll(group)
    }
  }

  end(): void {
    for (const { child, group } of this.#monitors.values()) {
      child.end()
      if (group) this.#handles.killAll(group)
    }
  }

  get pids(): Record<string, number | null> {
    return Object.fromEntries([...this.#monitors].map(([n, { child }]) => [n, child.pid ?? null]))
  }

  /** S-25: asked for when somebody wants to see it, and never waited for. */
  status(): Promise<MonitorStatus[]> {
    return Promise.all(
      [...this.#monitors].map(async ([monitor, { child }]) => ({
        monitor,
        pid: child.pid ?? null,
        generation: child.generation,
        uptimeMs: child.uptimeMs,
        tables: await this.#askTables(monitor),
      })),
    )
  }

  tablesCome(requestId: number, tables: MonitorTables): void {
    this.#tables.get(requestId)?.come(tables)
  }

  async #askTables(from: string): Promise<Tables> {
    if (this.#monitors.get(from)?.child.pid === undefined) return 'no answer'
    const requestId = this.#nextTables
    this.#nextTables += 1
    let late: NodeJS.Timeout | undefined
    const tables = await new Promise<Tables>((come) => {
      late = setTimeout(come, TABLES_MS, 'no answer')
      this.#tables.set(requestId, { from, come })
      this.send(from, { t: 'tables', requestId })
    })
    clearTimeout(late)
    this.#tables.delete(requestId)
    return tables
  }
}

/** Remembers this death, and says what can be told of it; null: nothing. */
function lostWith(past: Past, calls: LastCall[], ending: Ending, types: string[]): Lost | null {
  const { accused, deaths } = past
  past.accused = []
  const open = calls.filter((call) => call.tookMs === undefined)
  // Nothing was begun after what blocks all of it.
  const maybe = ending === 'hangs' ? open.slice(-1) : open
  const death =
    accused.length > 0
      ? { atMs: bootMs(), open: 1, resources: accused }
      : { atMs: bootMs(), open: maybe.length, resources: maybe.flatMap((c) => c.ids ?? []) }
  const suspects = suspectsOf(deaths, death, ending)
  if (ending !== 'meant') deaths.push(death)
  if (deaths.length > DEATHS_KEPT) deaths.shift()
  if (suspects.length + types.length === 0) return null
  return { suspects, calls, ...(types.length > 0 && { types }) }
}
