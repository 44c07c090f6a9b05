/** Bodies about where groups are: what nodes have, and rules between groups. */
import * as z from 'zod'
import { instantMs, name } from '../ids.ts'
import { LIMITS } from '../limits.ts'
import { amounts, faultDomain, ruleKind } from '../placement.ts'
import { reference } from './reference.ts'

export const changeNode = z
  .strictObject({
    capacity: amounts
      .nullable()
      .optional()
      .describe('What it has, by name, such as mem and cpu; null: no limits are known.'),
    faultDomain: faultDomain
      .nullable()
      .optional()
      .describe('What it fails together with: a rack, a room; null: none.'),
  })
  .refine((body) => body.capacity !== undefined || body.faultDomain !== undefined, {
    error: 'nothing to change: give capacity or faultDomain',
  })

export const drainNode = z.strictObject({
  to: reference
    .nullable()
    .optional()
    .describe(
      'Name or GUID of the node that is asked first; what it cannot take goes where it may. Null: none. Absent: as it was said before.',
    ),
  withinMs: z
    .int()
    .min(LIMITS.drainMinMs)
    .max(LIMITS.drainMaxMs)
    .nullable()
    .optional()
    .describe(
      'Milliseconds from now; then whatever has not begun to leave goes by stop and start. Null: there is no such time. Absent: as it was said before.',
    ),
})

export const drainView = z.object({
  sinceMs: instantMs,
  by: z.string(),
  /** From then on what is left leaves by stop and start; null: there is no such time. */
  untilMs: instantMs.nullable(),
  /** That time is over. */
  isLate: z.boolean(),
  /** Name of the node that is asked first. */
  to: z.string().nullable(),
})

export const resumeNode = z.strictObject({
  failback: z
    .enum(['now', 'policy', 'never'])
    .default('policy')
    .describe(
      'What becomes of the groups that left when it was drained: back now, by the policy of each, or not.',
    ),
})

export const createRule = z.strictObject({
  name: name.describe('A name of its own.'),
  kind: ruleKind.describe('keepApart: never on one node; keepTogether: always on one.'),
  groups: z
    .array(reference)
    .min(2)
    .max(LIMITS.ruleGroupsMax)
    .describe('The groups that it is about. It holds for those that are wanted online.'),
  hard: z
    .boolean()
    .default(false)
    .describe(
      'true: holds always, and a group waits rather than break it; false: if it can be had.',
    ),
})

export const ruleView = z.object({
  id: z.string(),
  name: z.string(),
  kind: ruleKind,
  /** Names. */
  groups: z.array(z.string()),
  hard: z.boolean(),
  createdAtMs: instantMs,
  createdBy: z.string(),
})
export type RuleView = z.infer<typeof ruleView>
