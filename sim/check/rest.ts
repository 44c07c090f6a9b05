/** After the faults: what is wanted runs on exactly one host, its owner, or it says why not. */
import { hasNeeded } from '../../schema/dependency.ts'
import type { Group, Node, Resource } from '../../schema/hive.ts'
import type { Scene } from '../world/scene.ts'
import type { Mirror } from './mirror.ts'

export function checkRest(scene: Scene, mirror: Mirror): string[] {
  const problems: string[] = []
  for (const node of mirror.nodes.values())
    if (node.state !== 'up') problems.push(`NOT BACK: node ${node.name} is ${node.state}`)
  for (const host of scene.hosts) if (!host.on) problems.push(`NOT BACK: ${host.name} is off`)
  for (const group of mirror.groups.values()) problems.push(...checkGroup(scene, mirror, group))
  for (const host of scene.hosts)
    for (const copy of host.processes.list())
      if (copy.stateAtMs !== undefined && !copy.running)
        problems.push(`COPY: ${host.name} keeps one of ${copy.groupId.slice(0, 8)} (M7)`)
  const known = new Set(mirror.groups.keys())
  for (const host of scene.hosts)
    for (const { groupId } of scene.witness.runningOn(host.name))
      if (!known.has(groupId))
        problems.push(`NOT STOPPED: ${host.name} runs ${groupId.slice(0, 8)}, which was deleted`)
  return problems
}

function checkGroup({ witness, platform }: Scene, mirror: Mirror, group: Group): string[] {
  const members = [...mirror.resources.values()].filter((r) => r.groupId === group.id)
  const running = witness.runningOf(group.id)
  const hosts = witness.hostsOf(group.id)
  const owner = mirror.nodes.get(group.ownership.owner ?? '')
  const wrong = (text: string) => [`NOT BACK: ${group.name} (${group.id.slice(0, 8)}) ${text}`]
  const eligible = [...mirror.nodes.values()].filter((node) => mayHost(node, members))
  if (!owner && eligible.length === 0) {
    if (running.length > 0) return wrong('has no owner and runs')
    // The object's own word for it, by which operators are told why.
    const waits = platform.disk.db
      .prepare('select body from observed where "table" = \'waiting\' and id = ?')
      .get(group.id)
    return waits ? [] : wrong('is nowhere and does not say why')
  }
  if (group.ownership.phase !== 'owned' || !owner)
    return wrong(`is ${group.ownership.phase}, though ${eligible.map((n) => n.name)} could have it`)
  for (const member of members) {
    const runs = running.some((r) => r.resourceId === member.id)
    if ((group.waitsFor === undefined && shouldRun(member, members)) !== runs)
      return wrong(
        `is owned by ${owner.name}; ${member.name} is wanted ${member.persistentState} and ${runs ? 'runs' : 'does not run'} on ${hosts.join(', ') || 'none'}`,
      )
  }
  if (hosts.some((host) => host !== owner.name))
    return wrong(`is owned by ${owner.name} and runs on ${hosts.join(', ')}`)
  return []
}

/** Wanted, and what it needs is wanted too (S-93). */
function shouldRun(member: Resource, members: readonly Resource[]): boolean {
  if (member.persistentState === 0) return false
  return hasNeeded(member, (id) => {
    const provider = members.find((m) => m.id === id)
    return provider !== undefined && shouldRun(provider, members)
  })
}

function mayHost(node: Node, members: readonly Resource[]): boolean {
  if (node.state !== 'up' || node.paused) return false
  return members.every(
    (r) =>
      (r.possibleOwners === null || r.possibleOwners.includes(node.id)) &&
      node.types.some((t) => t.type === r.type),
  )
}
