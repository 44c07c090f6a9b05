/** What metrics of a cluster are made to. */

/** Seconds a group was away for, upper bounds of the buckets: the budgets of the profiles lie between. */
export const FAILOVER_BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const
