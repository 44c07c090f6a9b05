/**
 * What one resource monitor may take of its host, memory and processor (S-32): by the kernel, where cgroups have
 * these controllers and this process may use them, v2 or v1. Where they do not, the reason is said once, and the
 * heap of the monitor is what is bounded.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MonitorLimits } from '../../schema/host-policy.ts'
import { isSeparate } from '../../schema/ids.ts'
import { cgroupMount, controllerFolder, removeTree } from '../os/cgroup-tree.ts'

type Controller = 'memory' | 'cpu'

/** A monitor's own heap where nothing else is said: one that keeps all it ever saw ends, and not the host. */
const HEAP_MB = 192
/** Of its memory what is no heap: code, buffers, stacks. */
const BESIDES_HEAP_MB = 64
const HEAP_LEAST_MB = 32
const PERIOD_US = 100_000

/** What holds for this monitor; null: nothing is said of it. */
export function limitsOf(
  policy: MonitorLimits | undefined,
  monitor: string,
): MonitorLimits['each'] | null {
  if (!policy) return null
  const own = isSeparate(monitor) ? { ...policy.each, ...policy.separate } : policy.each
  return own && Object.keys(own).length > 0 ? own : null
}

/** Below its memory limit, so that V8 ends it first where it can, and says what filled the heap. */
export const heapMbOf = (limits: MonitorLimits['each'] | null): number =>
  limits?.memoryMb === undefined
    ? HEAP_MB
    : Math.min(HEAP_MB, Math.max(HEAP_LEAST_MB, limits.memoryMb - BESIDES_HEAP_MB))

export class CgroupLimits {
  readonly #owner: string
  readonly #complain: (what: string) => void
  readonly #said = new Set<string>()
  /** Kills at the limit, as counted when they were looked at last, by group. */
  readonly #kills = new Map<string, number>()

  /** @param owner unique on this machine: the node's GUID */
  constructor(owner: string, complain: (what: string) => void) {
    this.#owner = owner
    this.#complain = complain
  }

  /**
   * Before the process has begun anything.
   *
   * @param v2 its group in cgroup v2, which it is in already; null: it is in none of its own
   */
  apply(
    name: string,
    pid: number,
    limits: NonNullable<MonitorLimits['each']>,
    v2: string | null,
  ): void {
    const { memoryMb, cpuPercent } = limits
    if (memoryMb !== undefined)
      this.#try('memory', name, pid, v2, (folder, isV2) => {
        const bytes = String(memoryMb * 1_048_576)
        writeFileSync(join(folder, isV2 ? 'memory.max' : 'memory.limit_in_bytes'), bytes)
        // What is swapped out instead is no limit; not every kernel counts it.
        const swap = join(folder, isV2 ? 'memory.swap.max' : 'memory.memsw.limit_in_bytes')
        if (existsSync(swap)) writeFileSync(swap, isV2 ? '0' : bytes)
        this.#kills.set(name, killsIn(folder))
      })
    if (cpuPercent !== undefined)
      this.#try('cpu', name, pid, v2, (folder, isV2) => {
        const quota = Math.round((cpuPercent / 100) * PERIOD_US)
        if (isV2) return writeFileSync(join(folder, 'cpu.max'), `${quota} ${PERIOD_US}`)
        writeFileSync(join(folder, 'cpu.cfs_period_us'), String(PERIOD_US))
        writeFileSync(join(folder, 'cpu.cfs_quota_us'), String(quota))
      })
  }

  /** Whether the kernel has killed something of this monitor at its limit since it was begun or asked about. */
  wasKilled(name: string, v2: string | null): boolean {
    const before = this.#kills.get(name)
    const folder = before === undefined ? null : this.#folder('memory', name, v2)
    if (before === undefined || !folder) return false
    const now = killsIn(folder.path)
    this.#kills.set(name, now)
    return now > before
  }

  /** The monitor is no more. In cgroup v2 its kill group goes with it anyway. */
  remove(name: string): void {
    this.#kills.delete(name)
    for (const controller of ['memory', 'cpu'] as const) {
      const folder = this.#v1(controller)
      if (folder !== null) removeTree(join(folder, name))
    }
  }

  /** All of this host's, and what an earlier guard has left, as far as nobody is in it. */
  end(): void {
    for (const controller of ['memory', 'cpu'] as const) {
      const folder = this.#v1(controller)
      if (folder !== null) removeTree(folder)
    }
  }

  #try(
    controller: Controller,
    name: string,
    pid: number,
    v2: string | null,
    set: (folder: string, isV2: boolean) => void,
  ): void {
    try {
      const folder = this.#folder(controller, name, v2)
      if (!folder) return this.#cannot(controller, `cgroups have no controller ${controller} here`)
      mkdirSync(folder.path, { recursive: true })
      set(folder.path, folder.isV2)
      if (!folder.isV2) writeFileSync(join(folder.path, 'cgroup.procs'), String(pid))
    } catch (error) {
      this.#cannot(controller, (error as Error).message)
    }
  }

  #cannot(controller: Controller, why: string): void {
    if (this.#said.has(controller)) return
    this.#said.add(controller)
    const instead = controller === 'memory' ? 'only their heap is bounded' : 'they are not bounded'
    this.#complain(`the ${controller} of resource monitors cannot be limited, ${instead}: ${why}`)
  }

  #folder(
    controller: Controller,
    name: string,
    v2: string | null,
  ): { path: string; isV2: boolean } | null {
    const old = this.#v1(controller)
    if (old !== null) return { path: join(old, name), isV2: false }
    return v2 !== null && hasController(v2, controller) ? { path: v2, isV2: true } : null
  }

  #v1(controller: Controller): string | null {
    const folder = controllerFolder(controller)
    return folder === null ? null : join(folder, `holdfast-${this.#owner}`)
  }
}

/** In cgroup v2 a folder has the controllers that the one above it hands down, and nobody may be in that one. */
function hasController(folder: string, controller: Controller): boolean {
  const mount = cgroupMount()
  if (mount === null || !folder.startsWith(mount)) return false
  if (hands(folder, controller)) return true
  const above = join(folder, '..')
  // The guard's own cgroup first: it is empty once the guard is in a group of its own.
  for (const path of [join(above, '..'), above])
    try {
      writeFileSync(join(path, 'cgroup.subtree_control'), `+${controller}`)
    } catch {
      // Not delegated to us, or somebody is in it: seen by what comes next.
    }
  return hands(folder, controller)
}

const hands = (folder: string, controller: Controller) =>
  existsSync(join(folder, controller === 'memory' ? 'memory.max' : 'cpu.max'))

function killsIn(folder: string): number {
  for (const file of ['memory.events', 'memory.oom_control'])
    try {
      const [, kills] = /^oom_kill (\d+)$/m.exec(readFileSync(join(folder, file), 'latin1')) ?? []
      if (kills !== undefined) return Number(kills)
    } catch {
      // Of the other version.
    }
  return 0
}
