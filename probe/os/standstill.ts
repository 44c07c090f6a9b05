import { bootMs } from '../clock.ts'
import { stoodStillMs } from '../core/standstill.ts'

const LOOK_MS = 250

/** Looks at the clock that counts from boot, again and again, and says when this process stood still. */
export function watchStandstill(noticed: (ms: number) => void): void {
  let lookedMs = bootMs()
  const timer = setInterval(() => {
    const nowMs = bootMs()
    const ms = stoodStillMs(lookedMs, nowMs, LOOK_MS)
    lookedMs = nowMs
    if (ms > 0) noticed(ms)
  }, LOOK_MS)
  timer.unref?.()
}
