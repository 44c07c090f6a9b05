/** The end of one cluster, for its admins. */
import type { ClusterDeleted, DeleteCluster } from '../schema/api/cluster-end.ts'
import { HoldfastError } from '../schema/errors.ts'
import { clusterEnd, keysOfCluster } from './accounts/cluster-end.ts'
import { heldNoLonger } from './accounts/condition.ts'
import { forgetKey } from './api-keys.ts'
import { accountsOf, asking, type Call, notFound, open, stubOf } from './calls.ts'
import { sweepObjects } from './doomed-objects.ts'
import { mustConfirm, runningIn, WHY_IN_USE } from './ends.ts'

export const clusterEndHandlers = {
  deleteCluster: async (call: Call<DeleteCluster>): Promise<ClusterDeleted> => {
    const { row } = open(call)
    const { confirm, force } = call.body
    const { id, name, profile, createdAtMs } = row
    mustConfirm('cluster', name, confirm)
    const running = force ? [] : await runningIn(call.env, [row])
    if (running.length > 0) throw inUse(name, running)
    const asker = asking(call).id
    const nowMs = Date.now()
    const keys = await keysOfCluster(call.env.DB, row, asker)
    const before = { id, name, profile, createdAtMs }
    const told = {
      ...{ action: 'deleteCluster', about: { kind: 'cluster', id, name }, asked: { force } },
      changes: [
        { table: 'cluster', id, before, after: null },
        ...keys.map(({ id: keyId, name: called }) => {
          const key = { name: called, revokedAtMs: null }
          return { table: 'key', id: keyId, before: key, after: { ...key, revokedAtMs: nowMs } }
        }),
      ],
    }
    const answer = { id, cluster: name }
    // What it has used is not told any more afterwards.
    if (!call.write.dryRun)
      await stubOf(call.env, row.objectId)
        .tellUsage()
        .catch(() => {})
    try {
      // Its own audit log goes with it: that it was deleted is told in the one of the organisation.
      const work = clusterEnd(call.env.DB, row, asker, nowMs)
      await accountsOf(call).commit(call.write, told, answer, work)
    } catch (error) {
      if (heldNoLonger(error))
        throw notFound('cluster', name, 'List what there is: holdfast cluster list')
      throw error
    }
    if (call.write.dryRun) return answer
    for (const key of keys) forgetKey(key.id)
    // It is deleted by now: what is left over of its object is for whoever sweeps next.
    await sweepObjects(call.env).catch(() => {})
    return answer
  },
}

const inUse = (name: string, running: readonly string[]) =>
  new HoldfastError({
    code: 'CLUSTER_IN_USE',
    message: `groups run in ${running.join(', ')}`,
    why: WHY_IN_USE,
    remedy: `Let its hosts leave first (on each: holdfast-probe leave), or delete all the same: holdfast cluster delete ${name} --force`,
  })
