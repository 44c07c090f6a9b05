/** Everything of one history that faults and checks can get at. */
import type { SimHost } from './host.ts'
import type { Kernel } from './kernel.ts'
import type { Operator } from './operator.ts'
import type { Platform } from './platform.ts'
import type { Setting } from './setting.ts'
import type { Witness } from './witness.ts'

export interface Scene {
  readonly plan: Setting
  readonly kernel: Kernel
  readonly platform: Platform
  readonly hosts: readonly SimHost[]
  readonly witness: Witness
  readonly operator: Operator
}
