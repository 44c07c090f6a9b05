/** S-93: what a resource does for others of its group that may do without it ("online if any of"). */
import { hasNeeded } from '../../schema/dependency.ts'
import type { Resource } from '../../schema/hive.ts'

/**
 * Whether everything that depends on a resource still has what it needs without it: then its failure costs
 * nobody anything, and to take the whole group away for it would.
 *
 * @param members of its group
 * @param couldServe whether a member is there, or may still come
 */
export function isSpare(
  r: Resource,
  members: readonly Resource[],
  couldServe: (r: Resource) => boolean,
): boolean {
  const byId = new Map(members.map((m) => [m.id, m]))
  const dependents = members.filter((m) => m.persistentState === 1 && m.dependsOn.includes(r.id))
  const others = (id: string) => {
    const other = byId.get(id)
    return other !== undefined && id !== r.id && other.persistentState === 1 && couldServe(other)
  }
  return dependents.length > 0 && dependents.every((m) => m.anyOf && hasNeeded(m, others))
}
