/** What has to go from D1 when one cluster is deleted: all of it in one transaction. */
import { and, eq, isNull, ne, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import * as t from '../../schema/tables/tenants.ts'
import type { Statement } from '../account-writes.ts'
import type { ClusterRow } from '../api-keys.ts'
import { onlyWhile } from './condition.ts'

/**
 * Keys that are for this cluster alone, but for the one that asks: sent again with its Idempotency-Key it has to
 * be answered. Of others, and of members, the grant leads nowhere afterwards.
 */
const keysOf = ({ id, organisationId }: ClusterRow, asking: string) =>
  and(
    ...[eq(t.apiKeys.organisationId, organisationId), isNull(t.apiKeys.revokedAtMs)],
    ne(t.apiKeys.id, asking),
    sql`not exists (select 1 from json_each(${t.apiKeys.scopes}) where json_extract(value, '$.cluster') is not ${id})`,
  )

/** Those that end with it. */
export async function keysOfCluster(d1: D1Database, cluster: ClusterRow, asking: string) {
  const shown = { id: t.apiKeys.id, name: t.apiKeys.name }
  return drizzle(d1).select(shown).from(t.apiKeys).where(keysOf(cluster, asking)).all()
}

/** Its object is noted to be deleted. What was used stays in the account. */
export function clusterEnd(
  d1: D1Database,
  cluster: ClusterRow,
  asking: string,
  nowMs: number,
): Statement[] {
  const db = drizzle(d1)
  const { id, organisationId, objectId } = cluster
  return [
    // Of two that delete it one has.
    onlyWhile(db, organisationId, sql`exists (select 1 from clusters where id = ${id})`),
    db
      .insert(t.doomedObjects)
      .values({ objectId, dueMs: nowMs })
      .onConflictDoUpdate({ target: t.doomedObjects.objectId, set: { dueMs: nowMs } }),
    db.delete(t.joinTokens).where(eq(t.joinTokens.clusterId, id)),
    db.delete(t.statusPages).where(eq(t.statusPages.clusterId, id)),
    db.update(t.apiKeys).set({ revokedAtMs: nowMs }).where(keysOf(cluster, asking)),
    db.delete(t.clusters).where(eq(t.clusters.id, id)),
  ]
}
