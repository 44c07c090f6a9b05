/**
 * Which module files this host's root lets run here, each by its hash (S-56). Written by
 * `holdfast-probe module`, read by the guard; what is not in here is not loaded.
 */
import * as z from 'zod'
import { sha256 } from './hive.ts'
import { typeName } from './ids.ts'
import { LIMITS } from './limits.ts'
import { version } from './module-manifest.ts'

export const modulePin = z.strictObject({
  type: typeName,
  version,
  sha256,
  host: z.enum(['rhs', 'rhs-exec']),
  /** Name in the folder of modules. */
  file: z.string().regex(/^[a-z0-9-]{1,64}\.(?:mjs|ts)$/),
})
export type ModulePin = z.infer<typeof modulePin>

/** Name of the call in which a monitor imports a module file; it is about the file. */
export const IMPORT = 'import'

/** A file that is pinned and not imported all the same: a monitor has not lived through it (S-32). */
export const refusedModule = z.strictObject({
  file: modulePin.shape.file,
  why: z.string().max(1_000),
})
export type RefusedModule = z.infer<typeof refusedModule>

export const modulePins = z.strictObject({ pins: z.array(modulePin).max(LIMITS.typesMax) })
