/** What has to go from D1 when an organisation is deleted: all of it in one transaction. */
import { and, eq, inArray, ne, notInArray, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { invitations, members, sessions } from '../../schema/tables/accounts.ts'
import * as t from '../../schema/tables/tenants.ts'
import type { Statement } from '../account-writes.ts'

/**
 * Its clusters' objects are noted to be deleted: that nobody has heard of the organisation any more does not
 * wait for them. Accounts of people are their own, and stay.
 */
export function organisationEnd(d1: D1Database, id: string, nowMs: number): Statement[] {
  const db = drizzle(d1)
  const ours = db
    .select({ id: t.clusters.id })
    .from(t.clusters)
    .where(eq(t.clusters.organisationId, id))
  const keys = db
    .select({ id: t.apiKeys.id })
    .from(t.apiKeys)
    .where(eq(t.apiKeys.organisationId, id))
  const people = db
    .select({ id: members.personId })
    .from(members)
    .where(eq(members.organisationId, id))
  const elsewhere = db
    .select({ id: members.personId })
    .from(members)
    .where(ne(members.organisationId, id))
  const objects = db
    .select({ objectId: t.clusters.objectId, dueMs: sql<number>`${nowMs}`.as('due_ms') })
    .from(t.clusters)
    .where(eq(t.clusters.organisationId, id))
  return [
    db
      .insert(t.doomedObjects)
      .select(objects)
      .onConflictDoUpdate({ target: t.doomedObjects.objectId, set: { dueMs: nowMs } }),
    db.delete(t.answers).where(inArray(t.answers.keyId, keys)),
    db.delete(t.answers).where(inArray(t.answers.keyId, people)),
    db.delete(t.joinTokens).where(inArray(t.joinTokens.clusterId, ours)),
    db.delete(t.statusPages).where(inArray(t.statusPages.clusterId, ours)),
    db.delete(t.webhookEndpoints).where(eq(t.webhookEndpoints.organisationId, id)),
    db.delete(t.apiKeySecrets).where(inArray(t.apiKeySecrets.keyId, keys)),
    db.delete(t.apiKeys).where(eq(t.apiKeys.organisationId, id)),
    db.delete(invitations).where(eq(invitations.organisationId, id)),
    // Who works elsewhere as well goes on there.
    db
      .delete(sessions)
      .where(and(inArray(sessions.userId, people), notInArray(sessions.userId, elsewhere))),
    db.update(sessions).set({ organisationId: null }).where(eq(sessions.organisationId, id)),
    db.delete(members).where(eq(members.organisationId, id)),
    db.delete(t.usageDays).where(eq(t.usageDays.organisationId, id)),
    db.delete(t.audit).where(eq(t.audit.organisationId, id)),
    db.delete(t.auditBases).where(eq(t.auditBases.organisationId, id)),
    db.delete(t.clusters).where(eq(t.clusters.organisationId, id)),
    db.delete(t.organisations).where(eq(t.organisations.id, id)),
  ]
}
