import { readFileSync } from 'node:fs'

/**
 * Milliseconds since boot on a clock that counts suspend time (L1).
 *
 * Node.js has no CLOCK_BOOTTIME. `/proc/uptime` is that clock with a grain of 10 ms, rounded down;
 * the monotonic clock is fine but stands still in suspend. Their difference, at its largest, gives
 * both: never ahead of the true time, and after a few calls at most a millisecond behind it.
 */
export function bootMs(): number {
  const coarse = Number(readFileSync('/proc/uptime', 'latin1').split(' ', 1)[0]) * 1_000
  const fine = Number(process.hrtime.bigint() / 1_000n) / 1_000
  offset = Math.max(offset, coarse - fine)
  return fine + offset
}

let offset = Number.NEGATIVE_INFINITY

/** New for each start of the kernel (F4). */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
}
