/** Plays every mutant until it is found, and says which are not. */
import { playAll } from '../fleet.ts'
import { MUTANTS } from './index.ts'
import type { Mutant } from './mutant.ts'

export interface MutantsRun {
  readonly seeds: number
  readonly from: number
  /** Only mutants of this rule, with this in their text, or at these places (`70-94`); null: all. */
  readonly only: string | null
  readonly json: boolean
  say(line: string): void
}

/** Nothing is expected of these: enough to see whether one has become a first line. */
const SECOND_LINE_SEEDS = 200

export async function playMutants({ seeds, from, only, json, say }: MutantsRun): Promise<number> {
  const chosen = MUTANTS.map((mutant, at) => ({ mutant, at })).filter((one) => isMeant(one, only))
  const survived: string[] = []
  const secondLine: string[] = []
  let found = 0
  for (const { mutant, at } of chosen) {
    const most = mutant.secondLine ? Math.min(seeds, SECOND_LINE_SEEDS) : seeds
    const name = `${mutant.rule}: ${mutant.breaks}`
    const within = await seedsUntilFound(at, most, from).catch((error: unknown) => {
      if (!(error instanceof DoesNotRun)) throw error
      survived.push(`${name} (${error.message})`)
      say(`DOES NOT RUN        ${name}`)
    })
    if (within === undefined) continue
    if (within) {
      found += 1
      say(`found within ${String(within.seeds).padStart(4)}  ${name}  (${within.problem})`)
    } else if (mutant.secondLine) {
      secondLine.push(name)
      say(`second line         ${name}  (${mutant.secondLine})`)
    } else {
      survived.push(name)
      say(`SURVIVED            ${name}`)
    }
  }
  const summary = { mutants: chosen.length, found, secondLine, survived }
  say(
    json
      ? JSON.stringify(summary)
      : `${found} of ${chosen.length} found, ${secondLine.length} are second lines of defence, ${survived.length} survived`,
  )
  return survived.length > 0 ? 1 : 0
}

function isMeant({ mutant, at }: { mutant: Mutant; at: number }, only: string | null): boolean {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(only ?? '') ?? []
  if (first !== undefined) return at + 1 >= Number(first) && at + 1 <= Number(last)
  return only === null || mutant.rule === only || mutant.breaks.includes(only)
}

/** The code has changed in a way that the change of it did not follow. */
class DoesNotRun extends Error {}

async function seedsUntilFound(
  mutant: number,
  seeds: number,
  from: number,
): Promise<{ seeds: number; problem: string } | null> {
  let next = from
  let best: { seeds: number; problem: string } | null = null
  await playAll(
    () => {
      if (best !== null || next >= from + seeds) return null
      next += 1
      return { seed: next - 1, draw: { only: 'storm' }, mutant }
    },
    (order, { result }) => {
      const [problem] = result.problems
      // A change that does not run is found by nobody's rule.
      if (problem?.includes('ReferenceError')) throw new DoesNotRun(problem)
      const within = order.seed - from + 1
      if (problem !== undefined && (best === null || within < best.seeds))
        best = { seeds: within, problem }
    },
  )
  return best
}
