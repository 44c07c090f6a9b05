import * as z from 'zod'
import { LIMITS } from './limits.ts'

/** A GUID never changes and is the identity passed everywhere (S-64); the name may change. */
export const guid = z.uuid()

/** Letters, digits, dot, dash, underscore: nothing that can hide in a log, a path or a shell. */
export const name = z
  .string()
  .min(1)
  .max(LIMITS.nameLengthMax)
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/, {
    error: ({ input }) => nameProblem(String(input)),
  })

export const typeName = z
  .string()
  .max(LIMITS.nameLengthMax)
  .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/)

/**
 * A resource monitor: a process of the probe tree that hosts modules (S-23). `rhs` is shared by the
 * modules in TypeScript, `rhs-exec` hosts types whose code is any executable, and `rhs:GUID` is for
 * one resource alone (S-29).
 */
export const monitorId = z
  .string()
  .regex(/^rhs(?:-exec)?(?::[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?$/)

/** Of one resource alone. */
export const isSeparate = (monitor: string): boolean => monitor.includes(':')

/** Milliseconds since the Unix epoch on the Durable Object's clock, never a host's. */
export const instantMs = z.int().nonnegative()

export const durationMs = z
  .int()
  .nonnegative()
  .max(366 * 24 * 3_600_000)

export const epoch = z.int().nonnegative()

/** Free text from a host or an operator: bounded, printable, one line. */
export const detail = z
  .string()
  .max(LIMITS.detailLengthMax)
  .overwrite((text) => text.replace(/[\p{Cc}\p{Cf}]+/gu, ' '))

/** `/proc/sys/kernel/random/boot_id`: new for each start of the kernel (F4). */
export const bootId = z
  .string()
  .min(8)
  .max(64)
  .regex(/^[A-Za-z0-9-]+$/)

export const publicKey = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9_-]{43}$/)

/** Names the character that is at fault: one that cannot be seen, or only looks like a letter. */
function nameProblem(text: string): string {
  const rule =
    'use letters a to z, digits, ".", "-" and "_", beginning and ending with a letter or digit'
  const bad = [...text].find((char) => !/[A-Za-z0-9._-]/.test(char))
  if (bad === undefined) return rule
  const point = `U+${(bad.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
  const shown = /[\p{C}\p{Z}\p{M}]/u.test(bad) ? point : `"${bad}" (${point})`
  return `${shown} may not be in a name: ${rule}`
}

/** Where it was defined, such as `cluster.yaml:31`: the file and line that were applied last. */
export const source = z.string().min(1).max(LIMITS.sourceLengthMax)
