/**
 * The hive of a new cluster from that of a backup: the same configuration, and nothing of what was under way.
 * No group has an owner, no node a session, and no epoch is one that was ever used.
 */
import { randomBytes } from 'node:crypto'
import { canonicalJson } from '../schema/canonical.ts'
import type { Cluster, Group, HiveDocument, Node, Resource } from '../schema/hive.ts'
import type { Change } from '../schema/update.ts'

export interface RestoreAs {
  readonly id: string
  readonly name: string
  readonly nowMs: number
  readonly epoch: number
}

/**
 * Where epochs begin. The cluster of the backup may have gone on after it, and others may have been made from
 * the same file, so that no number of the file is enough: a cluster would have to place a group more than
 * once in every millisecond for its epochs to overtake the clock.
 *
 * @returns milliseconds since the Unix epoch, or more if the backup has more
 */
export function epochAbove({ groups, nodes }: HiveDocument, nowMs: number): number {
  const used = [...groups.map((g) => g.ownership.epoch), ...nodes.map((n) => n.epoch)]
  return used.reduce((most, one) => Math.max(most, one + 1), nowMs)
}

/** In the order in which each has what it refers to before it. */
export function restoredChanges(document: HiveDocument, as: RestoreAs): Change[] {
  if (!document.cluster) throw new Error('a backup of no cluster')
  const cluster = restoredCluster(document.cluster, as)
  return [
    { table: 'cluster', id: cluster.id, value: cluster },
    ...document.types.map((value) => {
      return { table: 'type' as const, id: value.manifest.type, value }
    }),
    ...document.nodes.map((node) => {
      return { table: 'node' as const, id: node.id, value: placeOf(node, as) }
    }),
    ...document.groups.map((group) => {
      return { table: 'group' as const, id: group.id, value: restoredGroup(group, as) }
    }),
    ...document.resources.map((one) => {
      return { table: 'resource' as const, id: one.id, value: restoredResource(one) }
    }),
    ...document.rules.map((value) => ({ table: 'rule' as const, id: value.id, value })),
  ]
}

function restoredCluster({ maintenance = [], ...cluster }: Cluster, as: RestoreAs): Cluster {
  const { id, name, nowMs } = as
  const goesOn = maintenance
    .filter((one) => one.untilMs > nowMs)
    .map((one) => (one.scope === 'cluster' ? { ...one, id } : one))
  const still = goesOn.length > 0 ? { maintenance: goesOn } : {}
  return { ...cluster, ...still, id, name, formedAtMs: nowMs }
}

/**
 * Its name, its place in the order of nodes and what an operator has said of it. Nobody has the private key
 * that belongs to it: a host has to join by this name.
 */
function placeOf(node: Node, { epoch, nowMs }: RestoreAs): Node {
  const { id, name, position, paused, capacity, faultDomain, fence } = node
  return {
    ...{ id, name, position, paused, epoch },
    ...(capacity && { capacity }),
    ...(faultDomain && { faultDomain }),
    ...(fence && { fence }),
    publicKey: randomBytes(32).toString('base64url'),
    ...{ state: 'down', bootId: null, session: 0, types: [], joinedAtMs: nowMs },
  }
}

/** A copy of a guest's memory is not gone on from (M5), and failures of another cluster are none here. */
function restoredGroup({ drained: _, ...group }: Group, { epoch }: RestoreAs): Group {
  return {
    ...group,
    failovers: [],
    ownership: {
      ...{ phase: 'free', owner: null, epoch, lastOwner: null, to: null, reason: 'created' },
      correlationId: RESTORE,
    },
  }
}

/** `stateSeq` is a number of the updates of the other cluster. */
function restoredResource(one: Resource): Resource {
  const { stateSeq: _, isolated: __, isolations: ___, ...resource } = one
  return resource
}

/** Of everything that is made by it. */
export const RESTORE = 'u1'

/** What refers to something that is not there, of a backup that its checksum does not speak against. */
export function danglingIn({ nodes, groups, resources, rules }: HiveDocument): string | null {
  const known = (all: readonly { id: string }[]) => new Set(all.map((one) => one.id))
  const [isNode, isGroup, isResource] = [known(nodes), known(groups), known(resources)]
  const lacks = (ids: readonly string[], all: Set<string>) => ids.some((id) => !all.has(id))
  for (const g of groups)
    if (
      lacks(g.preferredOwners, isNode) ||
      lacks([...(g.after ?? []), ...(g.onlyWhile ?? [])], isGroup)
    )
      return `group ${g.name} refers to something that is not in it`
  for (const r of resources)
    if (
      lacks([r.groupId], isGroup) ||
      lacks(r.dependsOn, isResource) ||
      lacks(r.possibleOwners ?? [], isNode)
    )
      return `resource ${r.name} refers to something that is not in it`
  for (const rule of rules)
    if (lacks(rule.groups, isGroup)) return `rule ${rule.name} refers to a group that is not in it`
  const ids = [...nodes, ...groups, ...resources, ...rules].map((one) => one.id)
  return new Set(ids).size === ids.length ? null : 'two things in it have the same id'
}

/** As it stands in a backup. */
export const hiveText = (document: HiveDocument): string => canonicalJson(document)
