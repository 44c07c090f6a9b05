/** What all hosts of a simulation have in common. */
import type { Code } from './code.ts'
import type { Kernel } from './kernel.ts'
import type { Manager } from './manager.ts'
import type { Platform } from './platform.ts'
import type { Witness } from './witness.ts'

export interface HostParts {
  readonly kernel: Kernel
  readonly code: Code
  readonly platform: Platform
  readonly witness: Witness
  /** By name of the host: they reach each other by a network of their own. */
  readonly managers: Map<string, Manager>
}
