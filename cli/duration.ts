import { InvalidArgumentError } from 'commander'

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** `500ms`, `60s`, `5m`, `2h`, `1d` → milliseconds. @throws {InvalidArgumentError} anything else */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  const unit = UNIT_MS[match?.[2] ?? '']
  if (!match || unit === undefined)
    throw new InvalidArgumentError('Write a number and a unit: 500ms, 60s, 5m, 2h or 1d.')
  return Math.round(Number(match[1]) * unit)
}

/** For people: two significant places, the unit that fits. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`
  if (ms < 86_400_000)
    return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min`
  return `${Math.floor(ms / 86_400_000)} d ${Math.round((ms % 86_400_000) / 3_600_000)} h`
}

/** UTC. Only the time when it is of the same day as `nowMs`. */
export function formatInstant(atMs: number, nowMs: number): string {
  const text = new Date(atMs).toISOString()
  const sameDay = text.slice(0, 10) === new Date(nowMs).toISOString().slice(0, 10)
  return sameDay ? `${text.slice(11, 19)}Z` : `${text.slice(0, 10)} ${text.slice(11, 16)}Z`
}
