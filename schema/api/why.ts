import * as z from 'zod'
import { instantMs } from '../ids.ts'
import { eventView } from './bodies.ts'

export const whyKind = z.enum(['node', 'group', 'resource'])
export type WhyKind = z.infer<typeof whyKind>

export const whyQuery = z.strictObject({
  /** As it was at this instant, in milliseconds since the Unix epoch, as far back as the journal reaches. */
  atMs: z.coerce.number().int().nonnegative().optional(),
})

/** Why something is as it is: verdict, what led to it, every node with its reason, what to do. */
export const whyView = z.object({
  kind: whyKind,
  id: z.string(),
  name: z.string(),
  verdict: z.string(),
  /** When the update that decided it was committed; null when the journal no longer has it. */
  sinceMs: instantMs.nullable(),
  /** The updates that led to it, oldest first, each with its evidence. */
  chain: z.array(eventView),
  /** Who may take the group: first those that would be asked, in that order, then the others. */
  nodes: z.array(
    z.object({
      node: z.string(),
      eligible: z.boolean(),
      /** It owns the group now. */
      owner: z.boolean(),
      reason: z.string(),
    }),
  ),
  /** What would change it. */
  change: z.array(z.string()),
})
export type WhyView = z.infer<typeof whyView>
