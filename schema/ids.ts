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
    message: 'use letters, digits, ".", "-" and "_", beginning and ending with a letter or digit',
  })

export const typeName = z
  .string()
  .max(LIMITS.nameLengthMax)
  .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/)

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
  .transform((text) => text.replace(/[\p{Cc}\p{Cf}]+/gu, ' '))

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
