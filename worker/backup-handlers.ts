/** A cluster into a file, and a new one from it. */
import type * as z from 'zod'
import {
  type Restored,
  readHeader,
  readHive,
  type restoreCluster,
  unreadable,
} from '../schema/api/backup.ts'
import { HoldfastError } from '../schema/errors.ts'
import { fromDocument, type HiveDocument } from '../schema/hive.ts'
import type { Quotas } from '../schema/quotas.ts'
import { hashOf } from './audit.ts'
import { backupText, streamOf } from './backup-lines.ts'
import { accountsOf, asking, type Call, open, settled, stubOf } from './calls.ts'
import { clusterNameFree, clusterNameTaken, newObjectId } from './cluster-names.ts'
import { brokenInvariants } from './core/invariants.ts'
import { quotaReached } from './quotas.ts'
import { danglingIn, epochAbove } from './restored.ts'

export const backupHandlers = {
  backupCluster: async (call: Call) => streamOf(backupText(open(call).stub)),

  restoreCluster: async (call: Call<z.output<typeof restoreCluster>>): Promise<Restored> => {
    const { name } = call.body
    const header = readHeader(call.body.header)
    const document = readHive(header, call.body.hive, hashOf)
    const broken = danglingIn(document) ?? brokenInvariants(fromDocument(document))[0]
    if (broken) throw unreadable(broken)
    const { organisation } = asking(call)
    await clusterNameFree(call, name)
    withinQuotas(document, call.write.quotas)
    const objectId = newObjectId(call.env)
    const createdAtMs = Date.now()
    const epoch = epochAbove(document, createdAtMs)
    const as = { id: crypto.randomUUID(), name, nowMs: createdAtMs, epoch }
    const { profile } = header.cluster
    const row = {
      ...{ id: as.id, organisationId: organisation.id, name, profile },
      ...{ objectId: objectId.toString(), createdAtMs },
    }
    if (!call.write.dryRun) {
      await call.tenants.reserve(row.objectId)
      const ask = { document, as, by: call.by }
      settled(await stubOf(call.env, row.objectId).restore(ask, { ...call.write, once: null }))
    }
    const { cluster: of, seq, madeAtMs } = header
    const answer = {
      ...{ id: as.id, name, profile, createdAtMs, epoch },
      from: { cluster: of.name, seq, madeAtMs },
      groups: document.groups.length,
      resources: document.resources.length,
      places: document.nodes.map((node) => node.name),
    }
    const after = { id: as.id, name, profile, createdAtMs }
    const told = {
      ...{ action: 'restoreCluster', about: { kind: 'cluster', id: as.id, name } },
      asked: { name, from: { id: of.id, name: of.name, seq, madeAtMs } },
      changes: [{ table: 'cluster', id: as.id, before: null, after }],
    }
    const done = await call.tenants.addCluster(row, (work) =>
      accountsOf(call).commit(call.write, told, answer, work),
    )
    if (!done) {
      await stubOf(call.env, row.objectId).destroy()
      throw clusterNameTaken(name)
    }
    return answer
  },
}

/** A backup is no way around what an organisation may have. */
function withinQuotas(document: HiveDocument, quotas: Quotas | undefined): void {
  for (const kind of ['nodes', 'groups', 'resources'] as const) {
    const wanted = document[kind].length
    const most = quotas?.[kind] ?? wanted
    if (wanted > most)
      throw new HoldfastError({
        ...quotaReached(kind, wanted, most),
        message: `the cluster of the backup has ${wanted} ${kind}, and one of this organisation may have ${most}`,
      })
  }
}
