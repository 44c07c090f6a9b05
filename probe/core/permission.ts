import type { ResumeFrom } from '../../schema/carry.ts'
import type { HeldGroup } from '../../schema/session.ts'
import type { Update } from '../../schema/update.ts'

/**
 * U2: which of these updates are permission to run a group here. Only those on the welcomed
 * session, and committed after its welcome: the catch-up of what was missed, a snapshot and the
 * replica on disk never are (U1).
 *
 * @param before the replica's `seq` before these updates
 * @param seqW the welcome's `seq`, or null while the session is not welcomed
 */
export function permissions(
  updates: readonly Update[],
  nodeId: string,
  before: number,
  seqW: number | null | undefined,
  grants: readonly HeldGroup[],
): (HeldGroup & { correlationId: string; resume?: ResumeFrom })[] {
  if (seqW === null || seqW === undefined) return []
  return updates.flatMap((u) => {
    if (u.change.table !== 'group' || u.seq <= before || u.seq <= seqW) return []
    const groupId = u.change.id
    const ownership = u.change.value?.ownership
    if (ownership?.phase !== 'owned' || ownership.owner !== nodeId) return []
    const { epoch, correlationId, resume } = ownership
    if (grants.some((g) => g.groupId === groupId && g.epoch === epoch)) return []
    return [{ groupId, epoch, correlationId, ...(resume && { resume }) }]
  })
}
