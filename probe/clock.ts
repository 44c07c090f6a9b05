import { openSync, readFileSync, readSync } from 'node:fs'

/**
 * Milliseconds since boot on a clock that counts suspend time (L1).
 *
 * Node.js has no CLOCK_BOOTTIME. `/proc/uptime` is that clock with a grain of 10 ms, rounded down;
 * the monotonic clock is fine but stands still in suspend. Their difference, at its largest, gives
 * both: never ahead of the true time, and after a few calls at most a millisecond behind it.
 */
export function bootMs(): number {
  const coarse = uptimeMs()
  const fine = Number(process.hrtime.bigint() / 1_000n) / 1_000
  offset = Math.max(offset, coarse - fine)
  return fine + offset
}

let offset = Number.NEGATIVE_INFINITY

/** Kept open: a process that has run out of descriptors still has to know the time. */
let uptime: number | null = null
const text = Buffer.alloc(64)

function uptimeMs(): number {
  uptime ??= openSync('/proc/uptime', 'r')
  const length = readSync(uptime, text, 0, text.length, 0)
  return Number(text.toString('latin1', 0, length).split(' ', 1)[0]) * 1_000
}

/** New for each start of the kernel (F4). */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
}
