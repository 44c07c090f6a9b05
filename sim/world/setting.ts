/** What a simulated cluster consists of, and how its surroundings are. */
import type { ProfileName } from '../../schema/timing.ts'

export interface GroupPlan {
  /** Members that depend on one another in a row. */
  readonly members: number
  /** `gate`: started by a manager of its own, past the guard's gate (G4). */
  readonly way: 'child' | 'gate'
}

/** How the surroundings are throughout one history. */
export interface WorldPlan {
  /** The network, milliseconds. */
  readonly delayMaxMs: number
  /** Of a segment: lost, and sent again later. */
  readonly loss: number
  /** Alarms of the platform, how late at most, and how often they are. */
  readonly alarmLateMaxMs: number
  readonly alarmLate: number
  /** A write until it is durable. */
  readonly syncMaxMs: number
  readonly onlineMaxMs: number
  readonly offlineMaxMs: number
  /** How long a SIGKILL takes: up to what T_stop has left besides T_gap, for T_x is 0 here (G6). */
  readonly killMaxMs: number
  /** Of a start: that it fails. */
  readonly flaky: number
  /** Of a check: that it is not answered, or answered with something untrue. */
  readonly hangs: number
  readonly lies: number
  /** A message between two processes of a host, later than usual by that at most. */
  readonly ipcMaxMs: number
  /** The guard's file is there after a boot. */
  readonly runFolderLasts: boolean
  /** Every host has a watchdog device: a guard may be gone for good (A6, G12). */
  readonly watchdog: boolean
  /** A manager executes a start so much later. */
  readonly managerLateMaxMs: number
  /** Hosts hear each other, by packets that are lost or late as all others. */
  readonly peers: boolean
  /** Every node has a fence agent, and the takeover policy asks for it or does not. */
  readonly fencing: 'none' | 'lease' | 'fence'
  /** Clocks are off by up to ρ; `true`: by exactly that, one way or the other. */
  readonly extremeClocks: boolean
}

export interface Setting {
  readonly seed: number
  readonly profile: ProfileName
  readonly nodes: number
  /** Of the hosts; n1, n2 … by default. */
  readonly names?: readonly string[] | undefined
  readonly groups: readonly GroupPlan[]
  readonly world: WorldPlan
  /** When faults are over, milliseconds from the beginning. */
  readonly endMs: number
}
