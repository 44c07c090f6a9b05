import type { Edit } from '../production.ts'

export interface Mutant {
  /** The rule of docs/rules.md that it switches off. */
  readonly rule: string
  readonly breaks: string
  readonly edits: readonly Edit[]
  /** What the simulated shell of the guard, or the simulated manager, leaves out: there is no code of it to be changed. */
  readonly shellWithout?: 'G11' | 'M2'
  /** Not found alone: what holds when it is gone. */
  readonly secondLine?: string
}
