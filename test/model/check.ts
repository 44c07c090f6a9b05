/** One run of the model, and whether it found what it is known to find. */
import type { SafeRun } from './configurations.ts'
import { type Exploration, explore } from './explore.ts'
import { exploreByFingerprint } from './fingerprints.ts'
import type { Removal } from './removals.ts'

export interface Verdict {
  readonly found: Exploration
  /** What is not as expected, or `null`. */
  readonly unexpected: string | null
}

export function checkSafe(run: SafeRun): Verdict {
  const model = run.model()
  const found =
    run.fingerprintsMax === undefined
      ? explore(model, { liveness: run.liveness ?? false })
      : exploreByFingerprint(model, run.fingerprintsMax)
  return { found, unexpected: safeProblem(run, found) }
}

function safeProblem(run: SafeRun, found: Exploration): string | null {
  if (found.violation !== null) return found.violation.text
  if (found.stuck) return `${found.stuck} states cannot come back`
  if (run.cutOff) return null
  if (!found.complete) return 'the search was cut off'
  const counts = [
    problem('states', found.states, run.states),
    problem('steps', found.steps, run.steps),
  ].filter((text) => text !== null)
  return counts.length > 0 ? counts.join(', ') : null
}

export function checkRemoval(run: Removal): Verdict {
  const found = explore(run.model(), { statesMax: 12_000_000 })
  return { found, unexpected: removalProblem(run, found) }
}

function removalProblem({ expected }: Removal, found: Exploration): string | null {
  const { violation } = found
  if (expected.breaks === null) {
    if (violation !== null) return `${violation.text}, where nothing was expected`
    return found.complete
      ? problem('states', found.states, expected.states)
      : 'the search was cut off'
  }
  if (violation === null) return `nothing breaks, where ${expected.breaks} was expected`
  if (!violation.text.startsWith(expected.breaks))
    return `${violation.text}, where ${expected.breaks} was expected`
  return problem('steps of the counterexample', violation.trace.length, expected.after)
}

const problem = (what: string, found: number, expected: number): string | null =>
  found === expected ? null : `${found} ${what}, where ${expected} were expected`
