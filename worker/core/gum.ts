import type { Because, Change, Update } from '../../schema/update.ts'

/**
 * Global Update Manager: every change of the hive gets the next number of one stream, `seq` 1, 2,
 * 3 …, the same for all nodes, all or nothing with the transaction that commits it (S-11).
 */
export function gumUpdate(
  seq: number,
  atMs: number,
  change: Change,
  because: Because,
  correlationId: string,
): Update {
  return { seq, atMs, change, because, correlationId }
}
