/** What has to go from D1 when one cluster is deleted: all of it in one transaction. */
import { and, eq, isNull, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import * as t from '../../schema/tables/tenants.ts'
import type { Statement } from '../account-writes.ts'
import type { ClusterRow } from '../api-keys.ts'

/**
 * Its object is noted to be deleted. Keys that were for this cluster alone are revoked; of others, and of
 * members, the grant leads nowhere. What was used stays in the account.
 */
export function clusterEnd(d1: D1Database, cluster: ClusterRow, nowMs: number): Statement[] {
  const db = drizzle(d1)
  const { id, organisationId, objectId } = cluster
  const elsewhere = sql`exists (select 1 from json_each(${t.apiKeys.scopes}) where json_extract(value, '$.cluster') is not ${id})`
  return [
    db
      .insert(t.doomedObjects)
      .values({ objectId, dueMs: nowMs })
      .onConflictDoUpdate({ target: t.doomedObjects.objectId, set: { dueMs: nowMs } }),
    db.delete(t.joinTokens).where(eq(t.joinTokens.clusterId, id)),
    db.delete(t.statusPages).where(eq(t.statusPages.clusterId, id)),
    db
      .update(t.apiKeys)
      .set({ revokedAtMs: nowMs })
      .where(
        and(
          eq(t.apiKeys.organisationId, organisationId),
          isNull(t.apiKeys.revokedAtMs),
          sql`not ${elsewhere}`,
        ),
      ),
    db.delete(t.clusters).where(eq(t.clusters.id, id)),
  ]
}
