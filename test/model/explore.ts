/** Breadth first through every reachable state: what it finds broken, it finds by a shortest way. */
import { QuietSteps } from './liveness.ts'
import { isFault, type Model } from './model.ts'
import { StateTable } from './state-table.ts'

export interface Violation {
  readonly text: string
  /** The steps that lead to it, from the initial state. */
  readonly trace: readonly string[]
}

export interface Exploration {
  readonly states: number
  readonly steps: number
  /** Every reachable state was seen and none is broken. */
  readonly complete: boolean
  readonly violation: Violation | null
  /** States from which no way without faults leads back to a settled one; `null`: not asked. */
  readonly stuck: number | null
}

export interface Limits {
  readonly liveness?: boolean
  readonly statesMax?: number
}

export function explore(model: Model, limits: Limits = {}): Exploration {
  const statesMax = limits.statesMax ?? 40_000_000
  const table = new StateTable(model.size)
  const quiet = limits.liveness ? new QuietSteps() : null
  const start = model.initial()
  table.add(start, -1)
  let broken = model.broken(start)
  let brokenAt = 0
  let steps = 0
  let current = 0
  const emit = (label: string, next: Uint8Array) => {
    if (broken !== null) return
    steps += 1
    const before = table.count
    const index = table.add(next, current)
    if (table.count > before) {
      broken = model.broken(next)
      brokenAt = index
    }
    if (quiet !== null && !isFault(label)) quiet.add(current, index)
  }
  while (current < table.count && broken === null && table.count <= statesMax) {
    model.steps(table.get(current), emit)
    current += 1
  }
  const complete = broken === null && current >= table.count
  const violation =
    broken === null ? null : { text: broken, trace: traceTo(model, table, brokenAt) }
  const stuck =
    quiet === null || !complete
      ? null
      : quiet.stuck(table.count, (index) => model.settled(table.get(index)))
  return { states: table.count, steps, complete, violation, stuck }
}

/** The labels on the way to a state; they are not kept, so each step is taken once more. */
function traceTo(model: Model, table: StateTable, index: number): string[] {
  const way: number[] = []
  for (let i = index; i >= 0; i = table.parent(i)) way.unshift(i)
  return way.slice(1).map((to, i) => {
    const wanted = Buffer.from(table.get(to))
    let found = '?'
    model.steps(table.get(way[i] as number), (label, next) => {
      if (found === '?' && wanted.equals(next)) found = label
    })
    return found
  })
}
