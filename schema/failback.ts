/** When a group goes back to a node that it prefers, once that can take it again (S-19). */
import * as z from 'zod'
import { isTimeZone, localMinutes } from './time-zone.ts'

const clock = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'a time of day such as 22:00')
const timeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, 'a time zone of the IANA data base, such as Europe/Berlin')

export const failback = z.discriminatedUnion('when', [
  z.strictObject({ when: z.literal('off') }),
  z.strictObject({ when: z.literal('atOnce') }),
  /** Between these times of day; over midnight when it ends before it begins. */
  z.strictObject({ when: z.literal('window'), from: clock, to: clock, timeZone }),
])
export type Failback = z.infer<typeof failback>
export type FailbackWindow = Extract<Failback, { when: 'window' }>

const MINUTE_MS = 60_000
const DAY_MINUTES = 1_440
/** Clocks are changed by a multiple of this. */
const STEP_MINUTES = 15
/** And never by more than a day: then it has opened once for sure. */
const SEARCH_STEPS = (2 * DAY_MINUTES) / STEP_MINUTES

/** Where clocks are set back the window is open for longer; where they are set forward, for less. */
export function isOpen({ from, to, timeZone }: FailbackWindow, atMs: number): boolean {
  const [begins, ends] = [minutesOf(from), minutesOf(to)]
  const now = localMinutes(timeZone, atMs)
  if (begins === ends) return true
  return begins < ends ? now >= begins && now < ends : now >= begins || now < ends
}

/**
 * When the window opens next; now, if it is open. A time of day that is left out when clocks are set
 * forward opens it at the next one that there is.
 */
export function opensAtMs(window: FailbackWindow, nowMs: number): number {
  if (isOpen(window, nowMs)) return nowMs
  const minute = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS
  const left = minutesOf(window.from) - localMinutes(window.timeZone, nowMs)
  let atMs = minute + ((left + DAY_MINUTES) % DAY_MINUTES) * MINUTE_MS
  // By the clocks of now; those of then may be others.
  for (let step = 0; !isOpen(window, atMs) && step < SEARCH_STEPS; step += 1)
    atMs += STEP_MINUTES * MINUTE_MS
  while (atMs - STEP_MINUTES * MINUTE_MS > nowMs && isOpen(window, atMs - STEP_MINUTES * MINUTE_MS))
    atMs -= STEP_MINUTES * MINUTE_MS
  return atMs
}

function minutesOf(text: string): number {
  const [hour, minute] = text.split(':').map(Number)
  return (hour ?? 0) * 60 + (minute ?? 0)
}

/** `off`, `at-once`, `22:00-04:00@Europe/Berlin`: for people. */
export const failbackText = (failback: Failback): string =>
  failback.when === 'off'
    ? 'off'
    : failback.when === 'atOnce'
      ? 'at-once'
      : `${[failback.from, failback.to].join('-')}@${failback.timeZone}`

/** @returns null: it is none of these */
export function parseFailback(text: string): Failback | null {
  if (text === 'off') return { when: 'off' }
  if (text === 'at-once') return { when: 'atOnce' }
  const [, from, to, timeZone] = /^([^-@]+)-([^-@]+)@(.+)$/.exec(text) ?? []
  const parsed = failback.safeParse({ when: 'window', from, to, timeZone })
  return parsed.success ? parsed.data : null
}
