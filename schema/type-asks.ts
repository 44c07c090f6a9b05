/** What a host asks of its cluster about resource types of its own (S-55, S-56). */
import * as z from 'zod'
import { sha256 } from './hive.ts'
import { typeName } from './ids.ts'
import { MODULE_BYTES_MAX, moduleManifest } from './module-manifest.ts'

/** What changes the hive, or is refused with nothing changed. Asked again it changes nothing. */
export const typeChange = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('register'), manifest: moduleManifest, sha256 }),
  z.strictObject({ do: z.literal('unregister'), type: typeName }),
])
export type TypeChange = z.infer<typeof typeChange>

/** At the door of a host, and from its guard to its agent. */
export const typeAsk = z.discriminatedUnion('do', [
  ...typeChange.options,
  /** What the cluster knows, by this host's replica. */
  z.strictObject({ do: z.literal('known') }),
  /** The file with this hash, from any node that has it intact. */
  z.strictObject({ do: z.literal('fetch'), type: typeName, sha256 }),
])
export type TypeAsk = z.infer<typeof typeAsk>

/** A module file in base64, or null: this node has no such file. */
export const moduleText = z
  .string()
  .max(Math.ceil(MODULE_BYTES_MAX / 3) * 4)
  .regex(/^[A-Za-z0-9+/]*={0,2}$/)
  .nullable()
