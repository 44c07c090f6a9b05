/**
 * What the witnesses have seen, told apart: a freeze of a whole host or of its guard breaks
 * assumption A5, so what runs twice because of it is counted for itself. Everything else counts.
 */
import type { LedgerLine } from '../../demo/cluster.ts'

/** A host, or its guard, stood still: until what ran there too long was dead. Boot time. */
export interface Freeze {
  readonly host: string
  readonly fromMs: number
  untilMs: number
}

export interface Verdict {
  /** Nothing excuses these. */
  readonly overlaps: readonly string[]
  /** Two at once, because one of both stood still. */
  readonly byFreeze: number
  /** Writes of an older epoch after a newer one's first: a store that looks at epochs refuses them. */
  readonly refusedWrites: number
}

/** Clocks of two processes may differ by their grain. */
const GRAIN_MS = 15

/** @param ledger starts, ends and overlaps @param writes in the order of the store */
export function judge(
  ledger: readonly LedgerLine[],
  writes: readonly LedgerLine[],
  freezes: readonly Freeze[],
): Verdict {
  const overlaps: string[] = []
  let byFreeze = 0
  const starts: LedgerLine[] = []
  for (const line of ledger) {
    if (line.what === 'start') starts.push(line)
    if (line.what !== 'overlap') continue
    // Who ran on this very host before is no other owner: a freeze of it excuses nothing.
    const older = starts.findLast((start) => start.owner !== line.owner)
    if (older && stoodStill(freezes, older.owner, line.atMs)) byFreeze += 1
    else overlaps.push(`${line.name} on ${line.owner} in epoch ${line.epoch}: the lock was held`)
  }
  let refusedWrites = 0
  let newest: LedgerLine | null = null
  for (const line of writes) {
    if (newest === null || line.epoch > newest.epoch) newest = line
    if (line.epoch >= newest.epoch) continue
    if (stoodStill(freezes, line.owner, line.atMs)) refusedWrites += 1
    else
      overlaps.push(
        `${line.name}: ${line.owner} wrote in epoch ${line.epoch} after ${newest.owner} in ${newest.epoch}`,
      )
  }
  return { overlaps, byFreeze, refusedWrites }
}

export function stoodStill(freezes: readonly Freeze[], host: string, atMs: number): boolean {
  return freezes.some(
    (f) => f.host === host && f.fromMs <= atMs + GRAIN_MS && atMs <= f.untilMs + GRAIN_MS,
  )
}
