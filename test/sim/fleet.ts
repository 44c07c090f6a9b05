/**
 * Many histories on all cores: one process each, which takes seeds until there are none left. The
 * clocks and globals of a simulation are those of its process.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { loadCode } from '../../sim/world/code.ts'
import { begin } from '../../sim/world/quiet.ts'
import { type HistoryResult, playHistory } from './history.ts'
import { MUTANTS } from './mutants/index.ts'
import type { Mutant } from './mutants/mutant.ts'
import { type Draw, drawPlan } from './plan.ts'

/** What a process of the fleet is told: which code, and which seed next. */
export interface Order {
  readonly seed: number
  readonly draw: Draw
  /** Position in the list of mutants, or null for the code as it is. */
  readonly mutant: number | null
}

const ME = fileURLToPath(import.meta.url)

export interface Played {
  readonly result: HistoryResult
  /** Time of the processor that it took, milliseconds. */
  readonly cpuMs: number
}

/** @param next the next order, or null when there are none left. @param heard each result */
export async function playAll(
  next: () => Order | null,
  heard: (order: Order, played: Played) => void,
  workers: number = availableParallelism(),
): Promise<void> {
  const playOn = async () => {
    const child = fork(ME, ['--fleet'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    try {
      for (let order = next(); order; order = next()) heard(order, await ask(child, order))
    } finally {
      child.kill()
    }
  }
  await Promise.all(Array.from({ length: workers }, playOn))
}

function ask(child: ChildProcess, order: Order): Promise<Played> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`a worker ended with ${code}`))
    child.once('exit', ended)
    child.once('message', (message) => {
      child.off('exit', ended)
      resolve(message as Played)
    })
    child.send(order)
  })
}

function serve(): void {
  let loaded: { mutant: number | null; code: ReturnType<typeof loadCode> } | null = null
  let end: (() => void) | null = null
  process.on('message', (message) => {
    const { seed, draw, mutant } = message as Order
    if (loaded?.mutant !== mutant) {
      end?.()
      const { edits = null, shellWithout = null } =
        mutant === null ? {} : (MUTANTS[mutant] as Mutant)
      loaded = { mutant, code: loadCode(edits?.length === 0 ? null : edits, shellWithout) }
    }
    const { code } = loaded
    void code.then(async (production) => {
      end ??= begin()
      const before = process.cpuUsage()
      const plan = drawPlan(seed, draw)
      const result = await playHistory(plan, production, { stopAtFirst: mutant !== null })
      const { user, system } = process.cpuUsage(before)
      process.send?.({ result, cpuMs: (user + system) / 1_000 } satisfies Played)
    })
  })
}

if (process.argv[2] === '--fleet') serve()
