/**
 * The statements that run with every event, built once: making SQL anew takes longer than running it.
 */
import { and, asc, desc, eq, gte, inArray, lte, or, sql } from 'drizzle-orm'
import type { DrizzleSqliteDODatabase } from 'drizzle-orm/durable-sqlite'
import * as t from '../schema/tables/durable.ts'
import { lazily } from './lazily.ts'

const given = sql.placeholder

export const hiveStatements = (db: DrizzleSqliteDODatabase) =>
  lazily({ ...ofMarks(db), ...ofSessions(db), ...ofCommits(db) })

/** What starts, confirms and closes need, without the hive. */
function ofMarks(db: DrizzleSqliteDODatabase) {
  return {
    mark: () =>
      db
        .select()
        .from(t.meta)
        .where(eq(t.meta.key, given('key')))
        .prepare(),
    setMark: () =>
      db
        .insert(t.meta)
        .values({ key: given('key'), value: given('value') })
        .onConflictDoUpdate({ target: t.meta.key, set: { value: sql`excluded.value` } })
        .prepare(),
    writeConfirm: () =>
      db
        .insert(t.confirms)
        .values({ id: 1, atMs: given('atMs'), count: given('count') })
        .onConflictDoUpdate({
          target: t.confirms.id,
          set: { atMs: sql`excluded.at_ms`, count: sql`excluded.count` },
        })
        .prepare(),
    anyDeadline: () =>
      db
        .select({ id: t.observed.id })
        .from(t.observed)
        .where(inArray(t.observed.table, ['offer', 'waiting', 'fencing', 'failback']))
        .limit(1)
        .prepare(),
    anyPlan: () =>
      db
        .select({ id: t.plans.id })
        .from(t.plans)
        .where(
          sql`json_extract(${t.plans.body}, '$.untilMs') is not null and not json_extract(${t.plans.body}, '$.isLate')`,
        )
        .limit(1)
        .prepare(),
  }
}

function ofSessions(db: DrizzleSqliteDODatabase) {
  return {
    session: () =>
      db
        .select()
        .from(t.sessions)
        .where(eq(t.sessions.nodeId, given('nodeId')))
        .prepare(),
    nodesUp: () =>
      db
        .select({ nodeId: t.sessions.nodeId })
        .from(t.sessions)
        .where(eq(t.sessions.up, 1))
        .prepare(),
    anyFencing: () =>
      db
        .select({ nodeId: t.sessions.nodeId })
        .from(t.sessions)
        .where(or(eq(t.sessions.underFence, 1), eq(t.sessions.fence, 1)))
        .limit(1)
        .prepare(),
    markReport: () =>
      db
        .update(t.sessions)
        .set({ run: sql`${given('run')}`, reportN: sql`${given('n')}` })
        .where(eq(t.sessions.nodeId, given('nodeId')))
        .prepare(),
    noteAttempt: () =>
      db
        .update(t.sessions)
        .set({ attempt: sql`${given('attempt')}` })
        .where(eq(t.sessions.nodeId, given('nodeId')))
        .prepare(),
    noteNode: () =>
      db
        .insert(t.sessions)
        .values({
          nodeId: given('nodeId'),
          name: given('name'),
          up: given('up'),
          underFence: given('underFence'),
          fence: given('fence'),
          attempt: 0,
        })
        .onConflictDoUpdate({
          target: t.sessions.nodeId,
          set: {
            name: sql`excluded.name`,
            up: sql`excluded.up`,
            underFence: sql`excluded.under_fence`,
            fence: sql`excluded.fence`,
            // Where a node that is down can be heard is another place when it is back.
            peerAddress: sql`case when excluded.up = 0 then '' else ${t.sessions.peerAddress} end`,
          },
        })
        .prepare(),
  }
}

type UnderWay = typeof t.observed | typeof t.plans

const upsert = (db: DrizzleSqliteDODatabase, into: UnderWay) =>
  db
    .insert(into)
    .values({ table: given('table'), id: given('id'), body: given('body') })
    .onConflictDoUpdate({ target: [into.table, into.id], set: { body: sql`excluded.body` } })

const remove = (db: DrizzleSqliteDODatabase, from: UnderWay) =>
  db.delete(from).where(and(eq(from.table, given('table')), eq(from.id, given('id'))))

function ofCommits(db: DrizzleSqliteDODatabase) {
  return {
    addUpdate: () =>
      db
        .insert(t.updates)
        .values({
          seq: given('seq'),
          atMs: given('atMs'),
          hash: given('hash'),
          body: given('body'),
        })
        .prepare(),
    addJournal: () =>
      db
        .insert(t.journal)
        .values({ atMs: given('atMs'), firstSeq: given('firstSeq'), event: given('event') })
        .returning({ id: t.journal.id })
        .prepare(),
    addLine: () =>
      db
        .insert(t.log)
        .values({
          atMs: given('atMs'),
          node: given('node'),
          component: given('component'),
          groupId: given('groupId'),
          resourceId: given('resourceId'),
          correlationId: given('correlationId'),
          message: given('message'),
        })
        .returning({ id: t.log.id })
        .prepare(),
    observe: () => upsert(db, t.observed).prepare(),
    forget: () => remove(db, t.observed).prepare(),
    plan: () => upsert(db, t.plans).prepare(),
    forgetPlan: () => remove(db, t.plans).prepare(),
    last: () =>
      db
        .select({ seq: t.updates.seq, hash: t.updates.hash })
        .from(t.updates)
        .orderBy(desc(t.updates.seq))
        .limit(1)
        .prepare(),
    hashAt: () =>
      db
        .select({ hash: t.updates.hash })
        .from(t.updates)
        .where(eq(t.updates.seq, given('seq')))
        .prepare(),
    updates: () =>
      db
        .select()
        .from(t.updates)
        .where(and(gte(t.updates.seq, given('from')), lte(t.updates.seq, given('to'))))
        .orderBy(asc(t.updates.seq))
        .limit(given('limit'))
        .prepare(),
  }
}
