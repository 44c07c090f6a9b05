/**
 * A cluster's configuration as one document: what `holdfast export` writes, and `plan` and `apply`
 * read. What a thing does not say has its default; what the document does not name stays as it is,
 * unless it is to be pruned.
 */
import * as z from 'zod'
import { type Needs, parseNeeds } from '../dependency.ts'
import { type Failback, parseFailback } from '../failback.ts'
import { takeover } from '../fencing.ts'
import { pollPolicy, restartPolicy } from '../hive.ts'
import { durationMs, name, typeName } from '../ids.ts'
import { LIMITS } from '../limits.ts'
import { maintenanceReason } from '../maintenance.ts'
import { amounts, faultDomain, placementPolicy, priority, startsPerNode } from '../placement.ts'

const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const
type Unit = keyof typeof UNITS

/** `500ms`, `15m`, `6h`: the largest unit that leaves no fraction. */
export function timeText(ms: number): string {
  const unit = (Object.keys(UNITS) as Unit[]).find((one) => ms > 0 && ms % UNITS[one] === 0)
  return `${ms / UNITS[unit ?? 'ms']}${unit ?? 'ms'}`
}

/** Text in the document, milliseconds behind it. */
const time = (bounds: z.ZodType<number, number>, about: string) =>
  z
    .string()
    .regex(/^\d{1,12}(?:ms|s|m|h|d)$/, { error: 'a time such as 500ms, 60s, 15m, 6h or 1d' })
    .describe(about)
    .transform((text) => {
      const [, count, unit] = /^(\d+)([a-z]+)$/.exec(text) ?? []
      return Number(count) * UNITS[unit as Unit]
    })
    .pipe(bounds)

const failbackWords = z
  .string()
  .max(128)
  .describe('off, at-once, or hours such as 22:00-04:00@Europe/Berlin.')
  .transform((text, context): Failback => {
    const parsed = parseFailback(text)
    if (parsed) return parsed
    const message = 'off, at-once, or hours with a time zone such as 22:00-04:00@Europe/Berlin'
    context.addIssue({ code: 'custom', message, input: text })
    return z.NEVER
  })

const needs = z
  .union([z.array(name).max(LIMITS.dependenciesMax), z.string().max(LIMITS.detailLengthMax)])
  .transform((said, context): Needs => {
    if (typeof said !== 'string') return [...new Set(said)].map((one) => [one])
    const parsed = parseNeeds(said)
    if ('needs' in parsed) return parsed.needs
    const message = `${parsed.problem} (character ${parsed.at + 1})`
    context.addIssue({ code: 'custom', message, input: said })
    return z.NEVER
  })

const groupNames = z.array(name).max(LIMITS.groupDependenciesMax).default([])

const nodeNames = z.array(name).max(LIMITS.nodesMax)

/** Null: none, also where there is one. Absent: as it is. */
const maintenance = z
  .strictObject({
    reason: maintenanceReason.describe('Why, in a line.'),
    until: z.iso
      .datetime({ offset: true })
      .describe('It ends by itself then; said after that, it says nothing.')
      .transform((text) => Date.parse(text)),
  })
  .nullable()
  .optional()
  .describe('Observed, and nothing is done about its health. Absent: as it is.')
export type ConfigMaintenance = Exclude<z.output<typeof maintenance>, undefined>

export const configResource = z.strictObject({
  type: typeName.describe('Its resource type.'),
  properties: z.record(z.string().max(64), z.json()).default({}),
  state: z
    .enum(['online', 'offline'])
    .optional()
    .describe('What is wanted. Absent: as it is; a new one online.'),
  dependsOn: needs
    .default([])
    .describe('Names, all of which it needs; or words such as (ip4 or ip6) and disk.'),
  possibleOwners: nodeNames.nullable().default(null).describe('Null: all nodes.'),
  restart: z
    .strictObject({
      attempts: restartPolicy.shape.attempts.optional(),
      period: time(durationMs, 'In which the attempts are counted.').optional(),
      delay: time(durationMs, 'Before each restart.').optional(),
      retryAfter: time(durationMs, 'Until a Failed one is tried again.').optional(),
    })
    .default({}),
  poll: z
    .strictObject({
      isAlive: time(pollPolicy.shape.isAliveMs, 'The quick check: every so often.').optional(),
      looksAlive: time(pollPolicy.shape.looksAliveMs, 'The thorough one.').optional(),
      pending: time(pollPolicy.shape.pendingMs, 'Until a start or stop has failed.').optional(),
      deadlock: time(pollPolicy.shape.deadlockMs, 'Until its module is held to hang.').optional(),
    })
    .default({})
    .describe('What is absent is of its type.'),
  separateMonitor: z.boolean().default(false),
  maintenance,
})
export type ConfigResource = z.output<typeof configResource>

export const configGroup = z.strictObject({
  preferredOwners: nodeNames.default([]),
  failback: failbackWords.default({ when: 'off' }),
  failoverThreshold: z.int().nonnegative().max(1_000).nullable().default(null),
  failoverPeriod: time(durationMs, 'In which failovers are counted.').optional(),
  priority: priority.default(0),
  needs: amounts.default({}),
  after: groupNames.describe('Groups that have to be online before it is started.'),
  onlyWhile: groupNames.describe('Groups without which it is taken offline.'),
  resources: z.record(name, configResource).default({}),
  maintenance,
})
export type ConfigGroup = z.output<typeof configGroup>

const ruleGroups = z.array(name).min(2).max(LIMITS.ruleGroupsMax)

export const configRule = z
  .strictObject({
    keepApart: ruleGroups.optional(),
    keepTogether: ruleGroups.optional(),
    hard: z.boolean().default(false),
  })
  .refine((rule) => (rule.keepApart === undefined) !== (rule.keepTogether === undefined), {
    error: 'give keepApart or keepTogether',
  })
export type ConfigRule = z.output<typeof configRule>

export const configDocument = z.strictObject({
  cluster: z
    .strictObject({
      takeover: takeover.optional(),
      placement: placementPolicy.optional(),
      startsPerNode: startsPerNode
        .optional()
        .describe('Resources that one node starts at the same time.'),
      maintenance,
    })
    .default({}),
  nodes: z
    .record(
      name,
      z.strictObject({
        capacity: amounts.nullable().default(null),
        faultDomain: faultDomain.nullable().default(null),
        maintenance,
      }),
    )
    .default({})
    .describe('Settings of nodes that have joined. Nodes are neither made nor removed here.'),
  groups: z.record(name, configGroup).default({}),
  rules: z.record(name, configRule).default({}),
})
export type ConfigDocument = z.output<typeof configDocument>
/** As it is written: times and failback are text. */
export type ConfigText = z.input<typeof configDocument>

/** Where in a file things stand, by JSON pointer, such as `/groups/web`. */
const lines = z.strictObject({
  file: z.string().min(1).max(200),
  at: z.record(z.string().max(300), z.int().positive()),
})

export const planConfig = z.strictObject({
  config: configDocument,
  prune: z
    .boolean()
    .default(false)
    .describe('Groups, resources and rules that the document does not name are deleted.'),
  lines: lines.optional().describe('Where they come from: shown in refusals and reasons.'),
})
export const applyConfig = planConfig.extend({
  base: z
    .string()
    .max(64)
    .optional()
    .describe('`base` of the plan: refused when the cluster is another one by now.'),
  force: z
    .boolean()
    .default(false)
    .describe('Also if something that runs could not be online any more.'),
})

export const configChange = z.object({
  action: z.enum(['create', 'change', 'delete']),
  kind: z.enum(['cluster', 'node', 'group', 'resource', 'rule']),
  name: z.string(),
  /** JSON pointer of it in the document. */
  pointer: z.string(),
  /** What differs; of what is made or deleted: none. */
  fields: z.array(z.object({ field: z.string(), from: z.json(), to: z.json() })),
})
export type ConfigChange = z.infer<typeof configChange>

/** What the cluster would do because of the changes, a row a group. */
export const configEffect = z.object({
  group: z.string(),
  /** `waits`: it is wanted online, and no node could take it. */
  what: z.enum(['start', 'stop', 'move', 'restart', 'waits', 'members']),
  from: z.string().nullable(),
  to: z.string().nullable(),
  /** Members that start or stop though the group stays. */
  starts: z.array(z.string()),
  stops: z.array(z.string()),
  reasons: z.array(z.object({ node: z.string(), reason: z.string() })),
  /** How long it would be away: the median of its last changes of owner. Null: none was measured. */
  outageMs: z.number().nonnegative().nullable(),
})
export type ConfigEffect = z.infer<typeof configEffect>

/** Deletions, in order, that have to wait until what is deleted has stopped: apply once more then. */
const later = z.array(z.object({ kind: z.enum(['resource', 'group']), name: z.string() }))

export const planView = z.object({
  /** Stands for what the plan was made from: the configuration, who owns what, and which nodes are there. */
  base: z.string(),
  seq: z.int(),
  changes: z.array(configChange),
  effects: z.array(configEffect),
  warnings: z.array(z.object({ subject: z.string(), message: z.string(), remedy: z.string() })),
  /** What the document does not name, and which stays. */
  kept: z.array(z.object({ kind: z.enum(['group', 'resource', 'rule']), name: z.string() })),
  later,
})
export type PlanView = z.infer<typeof planView>

export const applied = z.object({
  seq: z.int(),
  changes: z.array(configChange),
  later,
})

export const configView = z.object({ seq: z.int(), config: z.json() })
