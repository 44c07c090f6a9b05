/**
 * When to try to connect again: at once the first time; then with growing pauses and jitter, which
 * never takes more than a third of the lease that is left (DESIGN, section 6).
 *
 * @param failures attempts that have failed since the last welcome
 * @param leaseLeftMs until the stop time of the leases; 0 or less when there is none
 * @param random 0 to 1
 */
export function reconnectDelayMs(failures: number, leaseLeftMs: number, random: number): number {
  if (failures === 0) return 0
  const pause = Math.min(50 * 2 ** Math.min(failures - 1, 8), 5_000)
  const jittered = pause * (0.5 + random)
  return leaseLeftMs > 0 ? Math.min(jittered, Math.max(leaseLeftMs / 3, 10)) : jittered
}
