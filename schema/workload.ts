/** How a workload's processes are named between guard, RHS and modules. */
import type { Undo } from './undo.ts'

/** A process the guard knows: identified by pid and start time (clock ticks since boot). */
export interface ProcessRef {
  readonly pid: number
  readonly startTicks: number
}

export interface ChildSpec {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** The workload is whatever lives of the kill group; the main process may end before it. */
  readonly daemon?: true | undefined
  /**
   * The workload is more than processes: it begins when the command has ended with exit code 0, and
   * lasts until the guard has carried this out. Goes with `daemon`.
   */
  readonly undo?: Undo | undefined
}
