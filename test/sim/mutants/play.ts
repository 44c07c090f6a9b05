/** Plays every mutant until it is found, and says which are not. */
import { playAll } from '../fleet.ts'
import { MUTANTS } from './index.ts'

export interface MutantsRun {
  readonly seeds: number
  readonly from: number
  /** Only mutants of this rule, or with this in their text; null: all. */
  readonly only: string | null
  readonly json: boolean
  say(line: string): void
}

/** Nothing is expected of these: enough to see whether one has become a first line. */
const SECOND_LINE_SEEDS = 200

export async function playMutants({ seeds, from, only, json, say }: MutantsRun): Promise<number> {
  const chosen = MUTANTS.map((mutant, at) => ({ mutant, at })).filter(
    ({ mutant }) => only === null || mutant.rule === only || mutant.breaks.includes(only),
  )
  const survived: string[] = []
  const secondLine: string[] = []
  let found = 0
  for (const { mutant, at } of chosen) {
    const most = mutant.secondLine ? Math.min(seeds, SECOND_LINE_SEEDS) : seeds
    const within = await seedsUntilFound(at, most, from)
    const name = `${mutant.rule}: ${mutant.breaks}`
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
      if (problem?.includes('ReferenceError'))
        throw new Error(`${MUTANTS[mutant]?.breaks}: the changed code does not run: ${problem}`)
      const within = order.seed - from + 1
      if (problem !== undefined && (best === null || within < best.seeds))
        best = { seeds: within, problem }
    },
  )
  return best
}
