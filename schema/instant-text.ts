const DAY_MS = 86_400_000

/**
 * An instant as people and files have it: `2026-12-01T10:00:00.000Z`. By arithmetic alone, for what may
 * have no clock.
 *
 * @param atMs milliseconds since the Unix epoch
 * @see https://howardhinnant.github.io/date_algorithms.html#civil_from_days
 */
export function instantText(atMs: number): string {
  const days = Math.floor(atMs / DAY_MS)
  // Days since 0000-03-01: leap days are at the end of a year then.
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const leaps =
    Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096)
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365)
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  const ms = atMs - days * DAY_MS
  const part = (value: number, digits = 2) => String(Math.floor(value)).padStart(digits, '0')
  const date = `${part(year, 4)}-${part(month)}-${part(day)}`
  const time = `${part(ms / 3_600_000)}:${part((ms / 60_000) % 60)}:${part((ms / 1_000) % 60)}`
  return `${date}T${time}.${part(ms % 1_000, 3)}Z`
}
