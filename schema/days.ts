/** Days as they are billed: of UTC. */
import { instantText } from './instant-text.ts'

const DAY_MS = 86_400_000

/** `2026-11-30` */
export const dayOf = (atMs: number): string => instantText(atMs).slice(0, 10)

export const startOfDay = (atMs: number): number => atMs - (atMs % DAY_MS)

/** Both included, oldest first. */
export function daysFrom(from: string, to: string): string[] {
  const days: string[] = []
  for (let at = Date.parse(from); at <= Date.parse(to); at += DAY_MS) days.push(dayOf(at))
  return days
}
