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

/** For people: the unit that fits, and the next smaller one where it says something. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${Number((ms / 1_000).toFixed(1))} s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 3_600) return two(seconds, 60, 'min', 's')
  const minutes = Math.round(seconds / 60)
  if (minutes < 1_440) return two(minutes, 60, 'h', 'min')
  return two(Math.round(minutes / 60), 24, 'd', 'h')
}

function two(value: number, per: number, large: string, small: string): string {
  const rest = value % per
  return `${Math.floor(value / per)} ${large}${rest > 0 ? ` ${rest} ${small}` : ''}`
}

/** UTC. Only the time when it is of the same day as `nowMs`. */
export function formatInstant(atMs: number, nowMs: number): string {
  const text = new Date(atMs).toISOString()
  const sameDay = text.slice(0, 10) === new Date(nowMs).toISOString().slice(0, 10)
  return sameDay ? `${text.slice(11, 19)}Z` : `${text.slice(0, 10)} ${text.slice(11, 16)}Z`
}

/** To the second; `-` for what has not been, or is not going to be. */
export const instantText = (ms: number | null): string =>
  ms === null ? '-' : new Date(ms).toISOString().slice(0, 19)
