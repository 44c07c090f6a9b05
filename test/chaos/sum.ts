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

/** One line per fault that came alone: until all was well, and the longest silence of a workload. */
export function table(sum: Sum): string {
  const rows = FAULT_KINDS.flatMap((kind) => {
    const alone = sum.rounds.filter((r) => r.faults.length === 1 && r.faults[0]?.kind === kind)
    const took = alone.flatMap((round) => round.recoverMs ?? [])
    const silent = alone.map((round) => round.silentMs)
    if (took.length === 0) return []
    const numbers = [took.length, at(took, 0.5), at(took, 1), at(silent, 0.5), at(silent, 1)]
    return [`${kind.padEnd(16)}${numbers.map((x) => String(x).padStart(9)).join('')}`]
  })
  const head = 'fault, alone        times   median      max   silent      max  (milliseconds)'
  return [head, ...rows].join('\n')
}

/** The value at this part of the list, whole milliseconds; of none, 0. */
function at(list: readonly number[], part: number): number {
  const sorted = [...list].sort((a, b) => a - b)
  const index = Math.min(sorted.length - 1, Math.floor(sorted.length * part))
  return Math.round(sorted[index] ?? 0)
}
