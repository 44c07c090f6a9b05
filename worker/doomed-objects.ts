/** Objects that belong to no listed cluster any more, or never did: their storage is deleted, however often it takes. */
import { and, asc, count, inArray, lte, notInArray } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { LIMITS } from '../schema/limits.ts'
import { clusters, doomedObjects } from '../schema/tables/tenants.ts'
import { stubOf } from './calls.ts'

/** Deletes the storage of those that are due, a few at a time. What fails is tried again by the next who comes. */
export async function sweepObjects(env: Env, nowMs = Date.now()): Promise<void> {
  const db = drizzle(env.DB)
  const listed = db.select({ objectId: clusters.objectId }).from(clusters)
  const due = await db
    .select()
    .from(doomedObjects)
    .where(and(lte(doomedObjects.dueMs, nowMs), notInArray(doomedObjects.objectId, listed)))
    .orderBy(asc(doomedObjects.dueMs))
    .limit(LIMITS.objectsSweptAtOnce)
    .all()
  const done: string[] = []
  await Promise.allSettled(
    due.map(async ({ objectId }) => {
      await stubOf(env, objectId).destroy()
      done.push(objectId)
    }),
  )
  if (done.length > 0)
    await db.delete(doomedObjects).where(inArray(doomedObjects.objectId, done)).run()
}

/** @returns how many wait yet */
export async function doomedCount(env: Env, objectIds: readonly string[]): Promise<number> {
  let waiting = 0
  for (let at = 0; at < objectIds.length; at += SOME) {
    const some = objectIds.slice(at, at + SOME)
    const row = await drizzle(env.DB)
      .select({ seen: count() })
      .from(doomedObjects)
      .where(inArray(doomedObjects.objectId, some))
      .get()
    waiting += row?.seen ?? 0
  }
  return waiting
}

/** D1 takes a hundred parameters. */
const SOME = 50

let sweptAtMs = 0

/** With any write, once in a while: so nothing is left over where no cron triggers are. */
export async function sweepSometimes(env: Env, nowMs = Date.now()): Promise<void> {
  if (nowMs - sweptAtMs < LIMITS.sweepEveryMs) return
  sweptAtMs = nowMs
  await sweepObjects(env, nowMs)
}
