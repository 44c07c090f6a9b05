/** How the end of resources of a type may be made faster, or has to be slower (S-50). */
export interface StopHints {
  /**
   * Terminate may take the place of Offline where time counts: a failover, the host going down. Nothing is lost by
   * it: no state, or one that stands a crash. (When a lease ends the guard kills in any case, and asks nobody.)
   */
  readonly fastOffline?: boolean | undefined
  /**
   * So many of this type are brought offline at once by one monitor, the others wait for their turn. Absent: all
   * that may be stopped are stopped together. What depends on something is stopped before it, whatever this says.
   */
  readonly parallelStop?: number | undefined
}
