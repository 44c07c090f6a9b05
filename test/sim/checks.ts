/** What must hold of a history, told apart from the code that is checked. */
import { createHash } from 'node:crypto'
import { canonicalJson } from '../../schema/canonical.ts'
import { emptyHive, type Hive } from '../../schema/hive.ts'
import { applyUpdate, type Update } from '../../schema/update.ts'
import type { SimHost } from './host.ts'
import type { Operator } from './operator.ts'
import type { Platform } from './platform.ts'
import type { Witness } from './witness.ts'

interface Rows {
  readonly hive: Hive
  readonly updates: readonly { seq: number; hash: string; update: Update }[]
}

/** The hive as the storage has it: every update folded, and its chain of hashes made anew. */
export function readRows(platform: Platform, problems: string[]): Rows {
  const rows = platform.disk.db
    .prepare('select seq, hash, body from updates order by seq')
    .all() as { seq: number; hash: string; body: string }[]
  const hive = emptyHive()
  let hash = '0'.repeat(64)
  const updates = rows.map((row) => {
    const update = JSON.parse(row.body) as Update
    hash = createHash('sha256').update(hash).update(canonicalJson(update)).digest('hex')
    if (hash !== row.hash) problems.push(`the chain of hashes breaks at ${row.seq}`)
    // Throws where a number is missing or an epoch goes back (C2).
    applyUpdate(hive, update)
    return { seq: row.seq, hash: row.hash, update }
  })
  return { hive, updates }
}

/** No two owners at any time, and everything in order afterwards. */
export function check(
  parts: {
    platform: Platform
    hosts: readonly SimHost[]
    witness: Witness
    operator: Operator
  },
  settled: boolean,
): string[] {
  const { platform, hosts, witness, operator } = parts
  const problems = witness.overlaps.map(
    (o) =>
      `OVERLAP of ${o.group.slice(0, 8)} at ${Math.round(o.atMs)} ms on ${o.hosts.join(' and ')}`,
  )
  const { hive, updates } = readRows(platform, problems)
  for (const { update } of updates)
    if (!update.because.code) problems.push(`update ${update.seq} does not say why`)
  for (const [resourceId, { state }] of operator.wanted) {
    const now = hive.resources.get(resourceId)?.persistentState
    if (state !== null && now !== state)
      problems.push(`LOST: ${resourceId.slice(0, 8)} was acknowledged as ${state} and is ${now}`)
  }
  if (settled) problems.push(...unsettled(hive, hosts, witness))
  return problems
}

/** After the faults: what is wanted online runs on exactly one host, and that is its owner. */
function unsettled(hive: Hive, hosts: readonly SimHost[], witness: Witness): string[] {
  const problems: string[] = []
  for (const node of hive.nodes.values())
    if (node.state !== 'up') problems.push(`NOT BACK: node ${node.name} is ${node.state}`)
  for (const group of hive.groups.values()) {
    const members = [...hive.resources.values()].filter((r) => r.groupId === group.id)
    const wanted = members.some((r) => r.persistentState === 1)
    const on = witness.hostsOf(group.id)
    const owner = hive.nodes.get(group.ownership.owner ?? '')?.name
    if (wanted && (on.length !== 1 || on[0] !== owner))
      problems.push(
        `NOT BACK: ${group.name} is owned by ${owner} and runs on ${on.join(', ') || 'none'}`,
      )
    if (!wanted && on.length > 0)
      problems.push(`NOT STOPPED: ${group.name} runs on ${on.join(', ')}`)
  }
  for (const host of hosts) if (!host.on) problems.push(`${host.name} is off`)
  return problems
}
