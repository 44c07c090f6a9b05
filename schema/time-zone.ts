/**
 * What clocks show in a time zone. The rules of clocks are the platform's, and change with it: the one
 * thing that is asked of it here. A journal that is replayed elsewhere follows what was decided.
 */

export function isTimeZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text })
    return true
  } catch {
    return false
  }
}

/** Making one costs far more than asking it. */
const formats = new Map<string, Intl.DateTimeFormat>()

/** Minutes since midnight on the clocks of this time zone. */
export function localMinutes(timeZone: string, atMs: number): number {
  let format = formats.get(timeZone)
  if (!format) {
    const shown = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone } as const
    format = new Intl.DateTimeFormat('en-GB', shown)
    formats.set(timeZone, format)
  }
  const [hour, minute] = format.format(atMs).split(':').map(Number)
  return (hour ?? 0) * 60 + (minute ?? 0)
}
