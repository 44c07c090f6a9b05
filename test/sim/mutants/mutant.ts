import type { ShellRule } from '../../../sim/world/code.ts'
import type { Edit } from '../../../sim/world/production.ts'

export interface Mutant {
  /** The rule of docs/rules.md that it switches off. */
  readonly rule: string
  readonly breaks: string
  readonly edits: readonly Edit[]
  /** What the simulated shell of the guard, or the simulated manager, leaves out: there is no code of it to be changed. */
  readonly shellWithout?: ShellRule
  /** Not found alone: what holds when it is gone. */
  readonly secondLine?: string
}
