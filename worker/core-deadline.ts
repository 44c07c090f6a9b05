import { nextDeadline, standingDeadline } from './core/deadlines.ts'
import type { ClusterState } from './core/decision.ts'
import type { HiveStore } from './hive-store.ts'

/**
 * When the core has to be asked next. The hive is not loaded to learn that there is no such time.
 *
 * @param known null: it is not in memory
 * @returns milliseconds since the Unix epoch, or null
 */
export function coreDeadline(
  store: HiveStore,
  known: ClusterState | null,
  load: () => ClusterState,
): number | null {
  const stored = known === null ? store.deadline() : undefined
  if (stored !== undefined) return stored
  const state = load()
  store.noteStanding(standingDeadline(state))
  return nextDeadline(state)
}
