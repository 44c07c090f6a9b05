import * as z from 'zod'

/**
 * The times of the lease protocol, in milliseconds (docs/rules.md, "Times").
 *
 * Nothing in the rules depends on the numbers, only on the relations that `timingProblems` checks.
 */
export const timing = z.strictObject({
  /** P: how often the node pings. */
  pingMs: z.int().positive(),
  /** TTL: pong lease, on the node's clock, from the moment the ping was sent (L1). */
  ttlMs: z.int().positive(),
  /** TTL_A: authority lease, renewed by confirms every third of it (L3). */
  ttlAuthorityMs: z.int().positive(),
  /** T_stop: before the lease ends by this much, the node begins to stop everything (L4, G6). */
  stopMs: z.int().positive(),
  /** m: clock granularity and small steps of the runtime's clock. */
  marginMs: z.int().positive(),
  /** T_gap: the longest time without a guard (A6). */
  gapMs: z.int().positive(),
  /** T_kill + T_term: SIGKILL until seen dead. */
  killMs: z.int().positive(),
  /** T_x: residual time of a start that passed the guard's yes (A7); 0 for child and gate. */
  residualMs: z.int().nonnegative(),
})
export type Timing = z.infer<typeof timing>

/** ρ: the rate error of each clock. */
export const CLOCK_RATE_ERROR = 0.01

export const profileName = z.enum(['fast', 'standard', 'wan', 'test'])
export type ProfileName = z.infer<typeof profileName>

const times = (t: readonly [number, number, number, number, number, number, number, number]) => ({
  pingMs: t[0],
  ttlMs: t[1],
  ttlAuthorityMs: t[2],
  stopMs: t[3],
  marginMs: t[4],
  gapMs: t[5],
  killMs: t[6],
  residualMs: t[7],
})

/** `test` is `fast` with an authority lease short enough to be waited for. Not for production. */
export const PROFILES: Readonly<Record<ProfileName, Timing>> = {
  fast: times([200, 1_500, 60_000, 500, 100, 200, 200, 100]),
  standard: times([1_000, 6_000, 60_000, 2_000, 500, 600, 900, 500]),
  wan: times([3_000, 20_000, 90_000, 5_000, 1_000, 1_500, 2_500, 1_000]),
  test: times([200, 2_000, 6_000, 800, 200, 300, 300, 200]),
}

/**
 * W(T): how long the control plane waits for a lease of length T to have surely ended. The node's
 * clock may be slow and ours fast at once. Act only when strictly more than this has passed (D3).
 */
export function waitMs(leaseMs: number, marginMs: number): number {
  return Math.ceil((leaseMs * (1 + CLOCK_RATE_ERROR)) / (1 - CLOCK_RATE_ERROR)) + marginMs
}

/**
 * How long a node whose socket has closed may take to come back before it is fenced. An agent that
 * is restarted on a host that is well needs about half a second for it.
 */
export const fenceDelayMs = (t: Timing): number => Math.max(t.pingMs, 1_000)
/** How often a node is heard by its peers (S-17). */
export const peerBeatMs = (t: Timing): number => Math.ceil(t.pingMs / 2)

/** A peer that was not heard for this long is silent: four beats, well before anybody suspects it. */
export const peerSilentMs = (t: Timing): number => 4 * peerBeatMs(t)

/** The relations without which a profile is unsafe (G6) or starves a healthy node. */
export function timingProblems(t: Timing): string[] {
  const problems: string[] = []
  if (t.stopMs < t.gapMs + t.killMs + t.residualMs)
    problems.push('G6: stopMs must contain gapMs + killMs + residualMs')
  if (t.pingMs * 2 >= t.ttlMs - t.stopMs)
    problems.push('L4: two pings must fit well before ttlMs - stopMs')
  if (peerSilentMs(t) + t.pingMs >= t.ttlMs)
    problems.push('S-17: a silent peer must be noticed clearly before ttlMs')
  if (t.ttlAuthorityMs < t.ttlMs) problems.push('L3: ttlAuthorityMs must not be below ttlMs')
  return problems
}
