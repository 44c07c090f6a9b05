/** What many histories come to. */
import type { HistoryResult } from './history.ts'
import { STRIKE_KINDS, type StrikeKind } from './strikes/index.ts'

export interface Sum {
  simulatedMs: number
  cpuMs: number
  events: number
  starts: number
  asked: number
  violations: number
  readonly struck: Partial<Record<StrikeKind, number>>
  readonly freezes: {
    overlaps: number
    readonly resumeOverlapMs: number[]
    refusedWrites: number
  }
}

export const emptySum = (): Sum => ({
  simulatedMs: 0,
  cpuMs: 0,
  events: 0,
  starts: 0,
  asked: 0,
  violations: 0,
  struck: {},
  freezes: { overlaps: 0, resumeOverlapMs: [], refusedWrites: 0 },
})

export function addUp(sum: Sum, result: HistoryResult, cpuMs: number): void {
  sum.cpuMs += cpuMs
  sum.simulatedMs += result.simulatedMs
  sum.events += result.events
  sum.starts += result.starts
  sum.asked += result.asked
  sum.violations += result.problems.length
  for (const [kind, times] of Object.entries(result.struck) as [StrikeKind, number][])
    sum.struck[kind] = (sum.struck[kind] ?? 0) + times
  const { freezes } = sum
  freezes.overlaps += result.freezes.overlaps
  freezes.resumeOverlapMs.push(...result.freezes.resumeOverlapMs)
  freezes.refusedWrites += result.freezes.refusedWrites
}

export function lastLine(
  sum: Sum,
  run: {
    seeds: number
    failed: readonly number[]
    tookMs: number
    json: boolean
    freezes?: boolean | undefined
  },
): string {
  const virtualHours = Math.round(sum.simulatedMs / 36_000) / 100
  const seconds = Math.round(run.tookMs / 1_000)
  if (!run.json)
    return `${run.seeds} histories, ${run.failed.length} failed: ${virtualHours} hours of clusters' life in ${seconds} s, ${sum.starts} starts, ${sum.asked} calls of the API`
  const faultsUsed = Object.fromEntries(STRIKE_KINDS.map((kind) => [kind, sum.struck[kind] ?? 0]))
  return JSON.stringify({
    sim: true,
    seeds: run.seeds,
    virtualHours,
    events: sum.events,
    violations: sum.violations,
    failed: run.failed,
    seconds,
    hoursPerCoreMinute: Math.round(sum.simulatedMs / 3_600_000 / (sum.cpuMs / 60_000)),
    starts: sum.starts,
    calls: sum.asked,
    faultsUsed,
    ...(run.freezes && { freezes: freezeFigures(sum.freezes) }),
  })
}

function freezeFigures({ overlaps, resumeOverlapMs, refusedWrites }: Sum['freezes']) {
  const sorted = [...resumeOverlapMs].sort((a, b) => a - b)
  const at = (part: number) => Math.round((sorted[Math.floor(sorted.length * part)] ?? 0) * 10) / 10
  return {
    overlaps,
    resumeOverlapMs: { count: sorted.length, median: at(0.5), max: at(0.999_999) },
    refusedWrites,
  }
}
