/** Every replica is a prefix of the one order of updates, and what it holds is what they made. */
import { createHash } from 'node:crypto'
import type { SimHost } from '../world/host.ts'
import type { Mirror } from './mirror.ts'

/** At any time: what is in an agent's memory. */
export function checkReplica(host: SimHost, mirror: Mirror): string[] {
  const { replica } = host.agent ?? {}
  if (!replica || replica.hive.seq === 0) return []
  const { seq } = replica.hive
  if (replica.hash === mirror.hashAt(seq)) return []
  return [`REPLICA of ${host.name} at ${seq} is no prefix of the updates (U3)`]
}

/** At rest: up to date, and row by row the hive. */
export function checkReplicaAtRest(host: SimHost, mirror: Mirror): string[] {
  const { replica } = host.agent ?? {}
  if (!replica) return [`REPLICA of ${host.name}: there is no agent`]
  if (replica.hive.seq !== mirror.seq)
    return [`REPLICA of ${host.name} stands at ${replica.hive.seq} of ${mirror.seq} (S-04)`]
  const { nodes, groups, resources } = replica.hive
  const ours = sum([...nodes.values()], [...groups.values()], [...resources.values()])
  const theirs = mirror.document()
  if (ours === sum(theirs.nodes, theirs.groups, theirs.resources)) return []
  return [`REPLICA of ${host.name} has the right number and other rows (S-04)`]
}

function sum(...tables: readonly (readonly { id: string }[])[]): string {
  const hash = createHash('sha256')
  for (const rows of tables)
    for (const row of [...rows].sort((a, b) => (a.id < b.id ? -1 : 1)))
      hash.update(JSON.stringify(row, sorted))
  return hash.digest('hex')
}

function sorted(_: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
