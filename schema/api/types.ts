/** Bodies about resource types: the catalogue, and control codes. */
import * as z from 'zod'
import { controlCode, controlInput } from '../control.ts'

export const typeView = z.object({
  type: z.string(),
  title: z.string(),
  /** JSON Schema of the properties. */
  properties: z.json(),
  /** Which kind of process hosts its module. */
  host: z.enum(['rhs', 'rhs-exec']),
  /** It comes with the probe; else it is one of the cluster's own. */
  shipped: z.boolean(),
  /** Registered ones, oldest first; of a shipped type those that nodes have. */
  versions: z.array(z.string()),
  /** What an operator may ask of a resource of it, with a JSON Schema of what each is told. */
  controls: z.array(
    z.object({ code: z.string(), title: z.string(), changes: z.boolean(), input: z.json() }),
  ),
  /** Its settings can be read and changed by name: a management extension knows them. */
  managed: z.boolean(),
  /** Nodes that have the module registered, intact and allowed. */
  nodes: z.array(z.string()),
  /** Nodes that have it and cannot host it. */
  unable: z.array(z.object({ node: z.string(), why: z.string() })),
})
export type TypeView = z.infer<typeof typeView>

export const controlResource = z.strictObject({
  /** See the type: `GET …/types`. */
  code: controlCode,
  input: controlInput.default({}),
})
export const controlled = z.object({ node: z.string(), answer: z.json() })
