import type { FieldInfo } from '../schema/api/fields.ts'
import { formatDuration } from './duration.ts'

/** `required`, or the default with its unit; empty when there is none. */
export function defaultText({ name, required, default: value }: FieldInfo): string {
  if (value === undefined) return required ? 'required' : ''
  const isTime = name.endsWith('Ms') && Number(value) > 0
  return `default ${value}${isTime ? ` (${formatDuration(Number(value))})` : ''}`
}
