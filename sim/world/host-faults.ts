/** What is usual on a host, and what is out of order on it just now. */
import type { Kernel } from './kernel.ts'
import type { Fate } from './manager.ts'
import type { ModuleFaults } from './rhs.ts'

export interface HostFaults extends ModuleFaults {
  clockRate(): number
  wallOffsetMs(): number
  killMs(): number
  managerLateMs(): number
  /** What becomes of a migration from it. */
  fate(to: string): Fate
  /** Until what an ended workload has left behind is gone: a part of T_kill and T_term too. */
  leftMs(): number
  /** Its run folder is no file system in memory: the guard's file is there after a boot (G10). */
  readonly runFolderLasts: boolean
  /** Time of the machine's watchdog device (G12), or null: it has none. */
  readonly watchdogMs: number | null
  /** A message between two of its processes. */
  ipcMs(): number
  /** The service manager brings the guard back within T_gap (A6). */
  guardBackMs(): number
}

/** How the modules and managers of a host are out of order just now. */
export interface ModuleState {
  hangsUntilMs: number
  crashes: number
  lie: ReturnType<ModuleFaults['lie']>
  failStarts: number
  /** By resource: starts that fail, counted wherever they are made. */
  failing: ReadonlyMap<string, { times: number }>
  /** Hosts to which no migration succeeds. */
  failsTo: ReadonlySet<string>
  slowMs: number
  managerLateMs: number
  fate: Fate | null
  /** A SIGKILL takes so long, and the guard is back after so long; null: as usual. */
  killMs: number | null
  guardBackMs: number | null
  /** What an ended workload has left behind is gone after so long; null: as usual. */
  leftMs: number | null
  /** What a resource monitor asks of the guard is read so much later. */
  askLateMs: number
  /** Of the fence agents that it runs. */
  fenceFails: number
  fenceLateMs: number
}

export const WELL: Readonly<ModuleState> = {
  hangsUntilMs: 0,
  crashes: 0,
  lie: null,
  failStarts: 0,
  failing: new Map(),
  failsTo: new Set(),
  slowMs: 0,
  managerLateMs: 0,
  fate: null,
  killMs: null,
  guardBackMs: null,
  leftMs: null,
  askLateMs: 0,
  fenceFails: 0,
  fenceLateMs: 0,
}

/** Its usual behaviour with what the faults of now do to it. */
export function outOfOrder(usual: HostFaults, now: () => ModuleState, kernel: Kernel): HostFaults {
  const once = (what: 'crashes' | 'failStarts') => {
    const state = now()
    if (state[what] === 0) return false
    state[what] -= 1
    return true
  }
  const fails = (resourceId: string) => {
    const left = now().failing.get(resourceId)
    if (!left || left.times === 0) return false
    left.times -= 1
    return true
  }
  return {
    ...usual,
    onlineMs: () => usual.onlineMs() + now().slowMs,
    hangs: () => now().hangsUntilMs > kernel.nowMs || usual.hangs(),
    crashes: () => once('crashes') || usual.crashes(),
    failsOnline: (resourceId) =>
      fails(resourceId) || once('failStarts') || usual.failsOnline(resourceId),
    lie: () => now().lie ?? usual.lie(),
    killMs: () => now().killMs ?? usual.killMs(),
    guardBackMs: () => now().guardBackMs ?? usual.guardBackMs(),
    leftMs: () => now().leftMs ?? usual.leftMs(),
    fate: (to) => now().fate ?? (now().failsTo.has(to) ? 'goesOn' : usual.fate(to)),
    managerLateMs: () => usual.managerLateMs() + now().managerLateMs,
  }
}
