/**
 * What the checker explores: every state of a small system that its steps can reach.
 *
 * A state is a row of bytes. A step whose label begins with `!` is a fault: the liveness check may not
 * use it, since from wherever faults have led the system has to come back without more of them.
 */
export interface Model {
  /** Bytes of one state. */
  readonly size: number
  initial(): Uint8Array
  /** Gives every step from this state to `emit`, which copies what it gets. */
  steps(state: Uint8Array, emit: Emit): void
  /** The invariant that is broken in this state, or `null`. */
  broken(state: Uint8Array): string | null
  /** Where the system is to be able to return to, from everywhere. */
  settled(state: Uint8Array): boolean
}

export type Emit = (label: string, next: Uint8Array) => void

export const isFault = (label: string): boolean => label.charCodeAt(0) === 33

/** Rules that are switched off, by name; what is not named stands. */
export type Removed<Rule extends string> = Readonly<Partial<Record<Rule, true>>>

export type Faults<Fault extends string> = Readonly<Partial<Record<Fault, true>>>
