/**
 * The statements that run with most decisions and alarms, whoever listens, built once: making SQL anew
 * takes longer than running it.
 */
import { and, asc, desc, eq, gt, lte, min, sql } from 'drizzle-orm'
import type { DrizzleSqliteDODatabase } from 'drizzle-orm/durable-sqlite'
import {
  webhookDeliveries as deliveries,
  webhookMessages as messages,
  meta,
  webhookOpen as open,
} from '../../schema/tables/durable.ts'
import { lazily } from '../lazily.ts'

/** Of `meta`: up to which message endpoints have been asked whether they want it. */
export const SPREAD = 'webhooksSpread'

const given = sql.placeholder

export const outboxStatements = (db: DrizzleSqliteDODatabase) =>
  lazily({ ...ofMessages(db), ...ofDeliveries(db) })

function ofMessages(db: DrizzleSqliteDODatabase) {
  return {
    add: () =>
      db
        .insert(messages)
        .values({
          id: given('id'),
          atMs: given('atMs'),
          type: given('type'),
          groupName: given('groupName'),
          data: given('data'),
        })
        .prepare(),
    complete: () =>
      db
        .update(messages)
        .set({ data: sql`${given('data')}` })
        .where(eq(messages.n, given('n')))
        .prepare(),
    open: () =>
      db
        .insert(open)
        .values({
          groupId: given('groupId'),
          cause: given('cause'),
          planned: given('planned'),
          from: given('from'),
        })
        .onConflictDoUpdate({
          target: open.groupId,
          set: {
            cause: sql`excluded.cause`,
            planned: sql`excluded.planned`,
            from: sql`excluded.from_node`,
          },
        })
        .prepare(),
    allOpen: () => db.select().from(open).prepare(),
    close: () =>
      db
        .delete(open)
        .where(eq(open.groupId, given('groupId')))
        .prepare(),
    newest: () =>
      db.select({ n: messages.n }).from(messages).orderBy(desc(messages.n)).limit(1).prepare(),
    spreadTo: () => db.select({ n: meta.value }).from(meta).where(eq(meta.key, SPREAD)).prepare(),
    setSpreadTo: () =>
      db
        .insert(meta)
        .values({ key: SPREAD, value: given('value') })
        .onConflictDoUpdate({ target: meta.key, set: { value: sql`excluded.value` } })
        .prepare(),
    toSpread: () =>
      db
        .select()
        .from(messages)
        .where(and(gt(messages.n, given('after')), lte(messages.n, given('upTo'))))
        .orderBy(asc(messages.n))
        .limit(given('limit'))
        .prepare(),
    message: () =>
      db
        .select()
        .from(messages)
        .where(eq(messages.n, given('n')))
        .prepare(),
  }
}

function ofDeliveries(db: DrizzleSqliteDODatabase) {
  const pending = eq(deliveries.state, 'pending')
  const [untried, again] = [eq(deliveries.nextAtMs, 0), gt(deliveries.nextAtMs, 0)]
  const byNow = lte(deliveries.nextAtMs, given('nowMs'))
  const ofEndpoint = eq(deliveries.endpointId, given('endpointId'))
  return {
    first: () =>
      db
        .select()
        .from(deliveries)
        .where(and(ofEndpoint, pending, untried))
        .orderBy(asc(deliveries.n))
        .limit(1)
        .prepare(),
    waitedFor: () =>
      db
        .selectDistinct({ id: deliveries.endpointId })
        .from(deliveries)
        .where(and(pending, untried))
        .prepare(),
    retries: () =>
      db
        .select()
        .from(deliveries)
        .where(and(pending, again, byNow))
        .orderBy(asc(deliveries.nextAtMs))
        .limit(given('limit'))
        .prepare(),
    due: () =>
      db.select({ n: deliveries.n }).from(deliveries).where(and(pending, byNow)).limit(1).prepare(),
    next: () =>
      db
        .select({ at: min(deliveries.nextAtMs) })
        .from(deliveries)
        .where(and(pending, again))
        .prepare(),
  }
}
