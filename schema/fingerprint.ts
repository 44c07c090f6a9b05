import { canonicalJson } from './canonical.ts'

/**
 * A short sign of a value, equal for equal values (two multiplicative hashes of 32 bits). It tells
 * whether something has changed, and is no protection against somebody who wants to hide that.
 */
export function fingerprint(value: unknown): string {
  const text = canonicalJson(value)
  let [a, b] = [0x811c9dc5, 0x01000193]
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 0x01000193)
    b = Math.imul(b ^ (unit + i), 0x85ebca6b)
  }
  return [a, b].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join('')
}
