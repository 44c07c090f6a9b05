/** What many faults come to. */
import type { Arguments } from './arguments.ts'
import { FAULT_KINDS, type FaultKind } from './kinds.ts'
import type { Round } from './run.ts'

export interface Sum {
  readonly rounds: Round[]
  overlaps: readonly string[]
  byFreeze: number
  refusedWrites: number
  acks: number
  readonly lost: string[]
  readonly differ: string[]
  resumeOverlapMs: readonly number[]
}

export function summary(sum: Sum, { seed }: Arguments) {
  const recovered = sum.rounds.flatMap((round) => round.recoverMs ?? [])
  const used = (kind: FaultKind) =>
    sum.rounds.flatMap((round) => round.faults).filter((one) => one.kind === kind).length
  return {
    chaos: true,
    faults: sum.rounds.reduce((all, round) => all + round.faults.length, 0),
    overlaps: sum.overlaps.length,
    unrecovered: sum.rounds.filter((round) => round.problem !== null).length,
    lostWrites: sum.lost.length,
    replicasDiffer: sum.differ.length,
    acknowledged: sum.acks,
    resumeOverlapMs: {
      count: sum.resumeOverlapMs.length,
      median: at(sum.resumeOverlapMs, 0.5),
      max: at(sum.resumeOverlapMs, 1),
    },
    freezes: { overlaps: sum.byFreeze, refusedWrites: sum.refusedWrites },
    recoverMs: { median: at(recovered, 0.5), p90: at(recovered, 0.9), max: at(recovered, 1) },
    faultsUsed: Object.fromEntries(FAULT_KINDS.map((kind) => [kind, used(kind)])),
    seed,
  }
}

export function passed(result: ReturnType<typeof summary>): boolean {
  return result.overlaps + result.unrecovered + result.lostWrites + result.replicasDiffer === 0
}

/** One line per fault that came alone. */
export function table(sum: Sum): string {
  const rows = FAULT_KINDS.flatMap((kind) => {
    const took = sum.rounds
      .filter((round) => round.faults.length === 1 && round.faults[0]?.kind === kind)
      .flatMap((round) => round.recoverMs ?? [])
    if (took.length === 0) return []
    const cells = [took.length, at(took, 0.5), at(took, 1)].map((x) => String(x).padStart(8))
    return [`${kind.padEnd(16)}${cells.join(' ')}`]
  })
  return [
    'fault, alone        times   median      max  (ms from its end until all is well)',
    ...rows,
  ].join('\n')
}

/** The value at this part of the list, whole milliseconds; of none, 0. */
function at(list: readonly number[], part: number): number {
  const sorted = [...list].sort((a, b) => a - b)
  const index = Math.min(sorted.length - 1, Math.floor(sorted.length * part))
  return Math.round(sorted[index] ?? 0)
}
