/** A scenario file: a cluster, what happens to it, and what must come of it (docs/scenarios.md). */
import * as z from 'zod'

const label = z.string().min(1).max(64)
const seconds = z.number().nonnegative().max(31_536_000)
const amounts = z.record(z.string().max(32), z.number().nonnegative())

const node = z.strictObject({
  name: label,
  /** Joined and well, or about to join (cold); false: known to the cluster, and down for long. */
  up: z.boolean(),
  /** False: the host runs and reaches nobody. */
  network: z.boolean().default(true),
  capacity: amounts.optional(),
  faultDomain: label.optional(),
})

const resource = z.strictObject({
  name: label,
  /** All of these, or an expression such as `(a or b) and c`. */
  dependsOn: z.union([z.array(label).max(100), z.string().max(1_000)]).default([]),
  /** Its type can move live. */
  live: z.boolean().default(false),
})

const group = z.strictObject({
  name: label,
  /** At the start; null: just made, never placed. */
  owner: label.nullable(),
  wanted: z.enum(['online', 'offline']),
  /** Hard; absent: all nodes. */
  possibleOwners: z.array(label).optional(),
  preferredOwners: z.array(label).default([]),
  failback: z.enum(['immediate', 'never']).default('never'),
  /** Restarts on one node after the first failed start, or a crash. */
  restartThreshold: z.int().nonnegative().max(1_000).optional(),
  /** Within 6 hours; absent: nodes - 1. */
  failoverThreshold: z.int().nonnegative().max(1_000).optional(),
  priority: z.int().optional(),
  needs: amounts.optional(),
  /** Comes online after these groups; is online only while these are. */
  after: z.array(label).default([]),
  onlyWhile: z.array(label).default([]),
  /** Absent: one with the name of the group. */
  resources: z.array(resource).min(1).max(100).optional(),
})

const rule = z
  .strictObject({
    keepApart: z.array(label).min(2).optional(),
    keepTogether: z.array(label).min(2).optional(),
    hard: z.boolean(),
  })
  .refine((r) => (r.keepApart === undefined) !== (r.keepTogether === undefined), {
    error: 'a rule has either keepApart or keepTogether',
  })

const after = { afterSeconds: seconds.default(0) }
const onNode = { ...after, node: label }
const onGroup = { ...after, group: label }

/** A node, a group, a resource of one; none of them: the cluster. */
const subject = {
  ...after,
  node: label.optional(),
  group: label.optional(),
  resource: label.optional(),
}

export const event = z.discriminatedUnion('type', [
  z.strictObject({ ...onNode, type: z.literal('nodeDown') }),
  z.strictObject({ ...onNode, type: z.literal('nodeUp') }),
  z.strictObject({ ...onNode, type: z.literal('networkDown') }),
  z.strictObject({ ...onNode, type: z.literal('networkUp') }),
  z.strictObject({ ...onNode, type: z.literal('shutdown') }),
  z.strictObject({
    ...onNode,
    type: z.literal('drain'),
    to: label.nullable().default(null),
    withinSeconds: z.number().min(1).optional(),
  }),
  z.strictObject({ ...onNode, type: z.literal('pause') }),
  z.strictObject({
    ...onNode,
    type: z.literal('resume'),
    failback: z.enum(['now', 'policy', 'never']).default('policy'),
  }),
  z.strictObject({ ...onGroup, type: z.literal('move'), to: label.nullable().default(null) }),
  z.strictObject({ ...onGroup, type: z.literal('cancelMove') }),
  z.strictObject({ ...onGroup, type: z.literal('failover') }),
  z.strictObject({ ...onGroup, type: z.literal('failback') }),
  z.strictObject({
    ...onGroup,
    type: z.literal('setWanted'),
    resource: label.optional(),
    wanted: z.enum(['online', 'offline']),
  }),
  z.strictObject({ ...onGroup, type: z.literal('crash'), resource: label.optional() }),
  z.strictObject({
    ...onGroup,
    type: z.literal('failStart'),
    resource: label.optional(),
    /** Null: wherever it is started. */
    node: label.nullable().default(null),
    times: z.union([z.int().positive(), z.literal('always')]).default('always'),
  }),
  z.strictObject({ ...onGroup, type: z.literal('failStop'), node: label.nullable().default(null) }),
  z.strictObject({
    ...after,
    type: z.literal('failMigrate'),
    group: label.optional(),
    to: label.nullable().default(null),
  }),
  z.strictObject({
    ...subject,
    type: z.literal('maintenanceOn'),
    forSeconds: z.number().min(1).max(2_592_000).default(7_200),
  }),
  z.strictObject({ ...subject, type: z.literal('maintenanceOff') }),
  z.strictObject({ ...after, type: z.literal('controlPlaneDown') }),
  z.strictObject({ ...after, type: z.literal('controlPlaneUp') }),
  z.strictObject({ ...after, type: z.literal('wait') }),
])
export type ScenarioEvent = z.infer<typeof event>

const never = z.strictObject({
  /** It changed its owner. */
  moved: label.optional(),
  /** It was owned by that node. */
  group: label.optional(),
  node: label.optional(),
  /** They ran on one node at the same time. */
  together: z.array(label).min(2).optional(),
  /** It was started from nothing while not all of the other one ran. */
  started: label.optional(),
  without: label.optional(),
})

export const STATES = [
  'online',
  'offline',
  'waiting',
  'failed',
  'partialOnline',
  'onlinePending',
  'offlinePending',
] as const

const expectations = z.strictObject({
  placement: z.record(label, label.nullable()).optional(),
  states: z.record(label, z.enum(STATES)).optional(),
  refused: z.array(z.int().nonnegative()).optional(),
  never: z.array(never).optional(),
  path: z.record(label, z.array(label)).optional(),
  withinSeconds: z.record(label, seconds).optional(),
})

export const scenario = z.strictObject({
  $schema: z.string().optional(),
  id: z.string().max(128).optional(),
  why: z.string().max(1_000).optional(),
  tags: z.array(z.string().max(64)).max(32).optional(),
  policy: z.enum(['list', 'least-active', 'capacity']).default('list'),
  /** Resources that one node starts at the same time. */
  startsPerNode: z.int().min(1).max(1_000).optional(),
  /** `settled`: what is wanted online and has a living owner runs there. `cold`: nothing runs. */
  start: z.enum(['settled', 'cold']).default('settled'),
  nodes: z.array(node).min(1).max(64),
  groups: z.array(group).max(1_000),
  rules: z.array(rule).max(100).default([]),
  events: z.array(event).max(1_000),
  settleSeconds: seconds.default(600),
  expect: expectations.optional(),
})
export type Scenario = z.infer<typeof scenario>
export type ScenarioGroup = Scenario['groups'][number]
