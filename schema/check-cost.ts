/**
 * What checking costs a host (S-94 to S-96): CPU of one check of one resource, in milliseconds, as it was
 * measured (README, `npm run bench:monitor` and `npm run bench:vm`). A type that is not here was not measured.
 */
import type { PollPolicy } from './poll-policy.ts'

const CHECK_MS: Readonly<Record<string, number>> = {
  process: 0.03,
  /** With libvirtd's share. */
  'virtual-machine': 0.3,
  /** A shell and what the agent itself takes. */
  ocf: 7.7,
}

/** So much of one CPU all checks of a host may take: the budget for 200 resources at 5 s. */
export const CHECK_BUDGET = 0.01

/** The share of one CPU that the checks of a resource take; null: not measured. */
export function checkShare(type: string, { isAliveMs, looksAliveMs }: PollPolicy): number | null {
  const ms = CHECK_MS[type]
  return ms === undefined ? null : ms / isAliveMs + ms / looksAliveMs
}
