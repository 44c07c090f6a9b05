import * as z from 'zod'

/** The five states of a resource (S-61) and `unknown`: not observed since a restart (Q3). */
export const status = z.enum([
  'online',
  'offline',
  'failed',
  'onlinePending',
  'offlinePending',
  'unknown',
])
export type Status = z.infer<typeof status>

/**
 * What a module reports: the five states, `stopped` (deliberately, by the workload's own manager,
 * S-62) and `unknown` (the manager itself does not answer: neither dead nor alive).
 */
export const reportedStatus = z.enum([
  'online',
  'offline',
  'failed',
  'onlinePending',
  'offlinePending',
  'stopped',
  'unknown',
])
export type ReportedStatus = z.infer<typeof reportedStatus>

/** How a detail begins of what is online, and not as it should be (S-51). */
const DEGRADED = 'degraded: '

export const degradedDetail = (evidence: string): string =>
  evidence.startsWith(DEGRADED) ? evidence : DEGRADED + evidence

/** Online, with evidence that something is wrong with it: nobody restarts it for that. */
export const isDegraded = (one: { status: string; detail?: string | null | undefined }): boolean =>
  one.status === 'online' && one.detail?.startsWith(DEGRADED) === true

/** The legal transitions of an observed status (S-61). Everything may become unknown. */
export const LEGAL_TRANSITIONS: Readonly<Record<Status, readonly Status[]>> = {
  offline: ['onlinePending', 'online', 'failed'],
  onlinePending: ['online', 'failed', 'offlinePending', 'offline'],
  online: ['offlinePending', 'offline', 'failed', 'onlinePending'],
  offlinePending: ['offline', 'failed', 'online'],
  failed: ['onlinePending', 'offlinePending', 'offline', 'online'],
  unknown: ['online', 'offline', 'failed', 'onlinePending', 'offlinePending'],
}
