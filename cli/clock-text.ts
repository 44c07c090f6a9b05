import type { NodeView } from '../schema/api/bodies.ts'
import { formatDuration } from './duration.ts'

/** `3.1 ms ahead (within 0.5 ms), 12 ppm fast`. */
export function clockText({ clock }: NodeView): string {
  if (!clock) return '-'
  const { offsetMs, errorMs, driftPpm } = clock
  const side = (value: number, more: string, less: string) => (value < 0 ? less : more)
  const offset = `${formatDuration(Math.abs(offsetMs))} ${side(offsetMs, 'ahead', 'behind')}`
  const drift =
    driftPpm === null ? '' : `, ${Math.abs(driftPpm)} ppm ${side(driftPpm, 'fast', 'slow')}`
  return `${offset} (within ${formatDuration(Math.ceil(errorMs))})${drift}`
}
