/**
 * Event Processor: controls the start-up of the Cluster Service (S-08). The phases run in this
 * order; one that fails holds back all later ones, and no event is taken before the last is done.
 */
export const START_PHASES = [
  /** DM: open the store, bring its schema up to date. */
  'openStore',
  /** DM: fold the newest snapshot and the journal behind it into the hive. */
  'loadHive',
  /** COMM: compare the sessions on record with the sockets that are really there. */
  'reconcileSessions',
  /** MM: nodes without an open socket count as confirmed now (D5). */
  'restartGrace',
  /** FM: look at every group once. */
  'settleGroups',
] as const
export type StartPhase = (typeof START_PHASES)[number]

/** @throws {Error} a phase out of its order: our bug */
export function nextPhase(done: readonly StartPhase[]): StartPhase | null {
  done.forEach((phase, i) => {
    if (phase !== START_PHASES[i]) throw new Error(`start-up phase ${phase} out of order`)
  })
  return START_PHASES[done.length] ?? null
}
