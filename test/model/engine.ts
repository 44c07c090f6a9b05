/** A small exhaustive checker: breadth first, so that a counterexample is a shortest one. */

export interface Model {
  init(): Uint8Array
  /** Every step from here. Labels that begin with "!" are faults. */
  next(state: Uint8Array, emit: (label: string, next: Uint8Array) => void): void
  /** What is wrong with a state, or null. */
  bad(state: Uint8Array): string | null
}

export interface Explored {
  readonly states: number
  readonly steps: number
  /** False when it was cut off at `statesMax`. */
  readonly complete: boolean
  readonly violation: { readonly what: string; readonly trace: readonly string[] } | null
}

export function explore(model: Model, statesMax = 3_000_000): Explored {
  const known = new Map<string, number>()
  const states: Uint8Array[] = []
  const parents: number[] = []
  let steps = 0
  let found: { what: string; at: number } | null = null
  const add = (state: Uint8Array, parent: number) => {
    const key = Buffer.from(state.buffer, state.byteOffset, state.length).toString('latin1')
    if (known.has(key)) return
    known.set(key, states.length)
    states.push(state)
    parents.push(parent)
    const what = model.bad(state)
    if (what !== null) found ??= { what, at: states.length - 1 }
  }
  add(model.init(), -1)
  let at = 0
  for (; at < states.length && found === null && states.length < statesMax; at += 1)
    model.next(states[at] as Uint8Array, (_, next) => {
      steps += 1
      add(next, at)
    })
  const end = found as { what: string; at: number } | null
  return {
    states: states.length,
    steps,
    complete: end === null && at === states.length,
    violation: end && { what: end.what, trace: traceTo(model, states, parents, end.at) },
  }
}

/** The labels on the way: found by making each step once more. */
function traceTo(
  model: Model,
  states: readonly Uint8Array[],
  parents: readonly number[],
  end: number,
): string[] {
  const way: number[] = []
  for (let at = end; at >= 0; at = parents[at] as number) way.unshift(at)
  return way.slice(1).map((at, i) => {
    const wanted = Buffer.from(states[at] as Uint8Array)
    let label = '?'
    model.next(states[way[i] as number] as Uint8Array, (said, next) => {
      if (label === '?' && wanted.equals(next)) label = said
    })
    return label
  })
}
