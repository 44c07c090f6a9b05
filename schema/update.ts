/**
 * Global updates: the one ordered stream by which a hive changes (S-11). An update puts or removes
 * whole records, so that applying it needs no knowledge and a replica is a plain fold.
 */
import * as z from 'zod'
import { cluster, group, type Hive, node, registeredType, resource } from './hive.ts'
import { guid, instantMs, typeName } from './ids.ts'
import { LIMITS } from './limits.ts'
import { rule } from './placement.ts'

/** Why something was decided: which manager, by which rule, on what evidence, instead of what. */
export const because = z.strictObject({
  manager: z.enum(['RCM', 'RHS', 'FM', 'NM', 'MM', 'GUM', 'DM', 'EVT', 'COMM', 'TIME']),
  /** Reason code in camelCase; `explain()` knows them all. */
  code: z.string().regex(/^[a-z][A-Za-z]+$/),
  /** The rule of docs/rules.md that asks for it, if one does. */
  rule: z.string().max(16).optional(),
  evidence: z
    .record(z.string().max(32), z.union([z.string().max(LIMITS.detailLengthMax), z.number()]))
    .optional(),
  /** Nodes that were not taken, each with its reason, in the order they were looked at. */
  rejected: z
    .array(z.strictObject({ node: z.string(), reason: z.string() }))
    .max(1_000)
    .optional(),
})
export type Because = z.infer<typeof because>

export const change = z.discriminatedUnion('table', [
  z.strictObject({ table: z.literal('cluster'), id: guid, value: cluster }),
  z.strictObject({ table: z.literal('node'), id: guid, value: node.nullable() }),
  z.strictObject({ table: z.literal('group'), id: guid, value: group.nullable() }),
  z.strictObject({ table: z.literal('resource'), id: guid, value: resource.nullable() }),
  /** By name. */
  z.strictObject({ table: z.literal('type'), id: typeName, value: registeredType.nullable() }),
  z.strictObject({ table: z.literal('rule'), id: guid, value: rule.nullable() }),
])
export type Change = z.infer<typeof change>

export const update = z.strictObject({
  seq: z.int().positive(),
  atMs: instantMs,
  change,
  because,
  /** Ties together all that came from one cause, across hops (S-82). */
  correlationId: z.string().max(64),
})
export type Update = z.infer<typeof update>

/**
 * The only writer of a hive. Changes the hive it is given: there is one owner of each.
 *
 * @throws {Error} a gap or repetition in `seq`, or an epoch that would go back (C2): a replica then
 *   has to start again from a snapshot, and in the control plane it is our bug.
 */
export function applyUpdate(hive: Hive, u: Update): Hive {
  if (u.seq !== hive.seq + 1) throw new Error(`update ${u.seq} does not follow ${hive.seq}`)
  const { change: c } = u
  const before = recordOf(hive, c)
  switch (c.table) {
    case 'cluster':
      hive.cluster = c.value
      break
    case 'node':
      assertGrows(hive.nodes.get(c.id)?.epoch, c.value?.epoch, 'node epoch')
      putOrDelete(hive.nodes, c.id, c.value)
      break
    case 'group':
      assertGrows(
        hive.groups.get(c.id)?.ownership.epoch,
        c.value?.ownership.epoch,
        `epoch of group ${c.id}`,
      )
      putOrDelete(hive.groups, c.id, c.value)
      break
    case 'resource':
      putOrDelete(hive.resources, c.id, c.value)
      break
    case 'type':
      putOrDelete(hive.types, c.id, c.value)
      break
    case 'rule':
      putOrDelete(hive.rules, c.id, c.value)
      break
  }
  hive.seq = u.seq
  ;(hive as Followed)[FOLLOWER]?.({ change: c, before })
  return hive
}

/** A change that has been applied, and the record that was there before it. */
export interface Applied {
  readonly change: Change
  readonly before: unknown
}

/** On the hive itself, where each copy of this module finds it; no part of its content. */
const FOLLOWER = Symbol.for('holdfast.follower')
type Followed = Hive & { [FOLLOWER]?: (applied: Applied) => void }

/** Has whoever keeps something beside a hive hear of each of its changes; there is one for a hive. */
export function followUpdates(hive: Hive, heard: (applied: Applied) => void): void {
  Object.defineProperty(hive, FOLLOWER, { value: heard, enumerable: false, configurable: true })
}

/** What is there of the record that a change is about. */
export function recordOf(hive: Hive, c: Change): unknown {
  switch (c.table) {
    case 'cluster':
      return hive.cluster ?? undefined
    case 'node':
      return hive.nodes.get(c.id)
    case 'group':
      return hive.groups.get(c.id)
    case 'resource':
      return hive.resources.get(c.id)
    case 'type':
      return hive.types.get(c.id)
    case 'rule':
      return hive.rules.get(c.id)
  }
}

function putOrDelete<V>(table: Map<string, V>, id: string, value: V | null): void {
  if (value === null) table.delete(id)
  else table.set(id, value)
}

function assertGrows(was: number | undefined, is: number | undefined, what: string): void {
  if (was !== undefined && is !== undefined && is < was)
    throw new Error(`${what} would go back from ${was} to ${is}`)
}
