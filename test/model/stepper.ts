/** The state a model steps from, and the one scratch state that every step is made in. */
import { type Emit, isFault } from './model.ts'

export interface State {
  readonly bytes: Uint8Array
}

export class Stepper<S extends State> {
  readonly now: S
  /** While true no fault happens: the node whose turn it is has none of its own. */
  calm = false
  readonly #scratch: S
  readonly #normalise: (state: S) => void
  #emit: Emit = () => {}

  constructor(make: () => S, normalise: (state: S) => void) {
    this.now = make()
    this.#scratch = make()
    this.#normalise = normalise
  }

  begin(state: Uint8Array, emit: Emit): void {
    this.now.bytes.set(state)
    this.#emit = emit
    this.calm = false
  }

  /** One step: `change` gets a copy of the present state, which is then brought to its normal form. */
  step(label: string, change: (next: S) => void): void {
    if (this.calm && isFault(label)) return
    this.#scratch.bytes.set(this.now.bytes)
    change(this.#scratch)
    this.#normalise(this.#scratch)
    this.#emit(label, this.#scratch.bytes)
  }
}
