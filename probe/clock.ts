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
  const fine = fineMs()
  offset = Math.max(offset, coarse - fine)
  lookedMs = fine
  return fine + offset
}

/**
 * The same without a look at the file each time, at a tenth of its price: after suspend it may be behind
 * by as long as that took, for up to a second of running.
 *
 * For resource monitors: when they check, what they wait for and what they restart may come so much too
 * late, as their timers do, which stand still in suspend too. Whether something may run is decided by
 * the guard alone, by `bootMs` (G2, L4). It never goes back, and is never ahead of the true time.
 */
export function roughBootMs(): number {
  const fine = fineMs()
  return fine - lookedMs < LOOK_AGAIN_MS ? fine + offset : bootMs()
}

const LOOK_AGAIN_MS = 1_000

const fineMs = () => Number(process.hrtime.bigint() / 1_000n) / 1_000

let offset = Number.NEGATIVE_INFINITY
let lookedMs = Number.NEGATIVE_INFINITY

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
