import type { Hive, HostedType } from '../../schema/hive.ts'
import type { HeldGroup } from '../../schema/session.ts'

/** Target Failover Manager: null is a yes; else why this host could not run it after all (O1). */
export function whyRefuse(
  groupId: string,
  hive: Hive,
  types: readonly HostedType[],
  grants: readonly HeldGroup[],
): string | null {
  const known = new Map(types.map((t) => [t.type, t]))
  for (const { type } of membersOf(groupId, hive)) {
    const hosted = known.get(type)
    if (!hosted) return `no module for type ${type}`
    if (hosted.problem !== undefined) return `type ${type}: ${hosted.problem}`
  }
  return grants.some((g) => g.groupId === groupId) ? 'it is still being stopped here' : null
}

/** S-81 step 9: GUID and PersistentState of every member. */
export function memberList(groupId: string, hive: Hive): string {
  const list = membersOf(groupId, hive).map((r) => `${r.id}=${r.persistentState}`)
  return `list for RHS: ${list.join(' ') || 'empty'}`
}

const membersOf = (groupId: string, hive: Hive) =>
  [...hive.resources.values()].filter((r) => r.groupId === groupId)
