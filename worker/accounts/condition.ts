/** Work in D1 that is carried out as a whole, and only while something still holds. */
import { eq, type SQL, sql } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import { organisations } from '../../schema/tables/tenants.ts'
import type { Statement } from '../account-writes.ts'
import { textOf } from '../d1-errors.ts'

/** A statement that fails where the condition does not hold, and with it all of its batch: a name is never null. */
export function onlyWhile(db: DrizzleD1Database, organisationId: string, holds: SQL): Statement {
  const name = sql`case when ${holds} then ${organisations.name} else null end`
  return db.update(organisations).set({ name }).where(eq(organisations.id, organisationId))
}

/** Whether a batch failed by that. */
export const heldNoLonger = (error: unknown): boolean =>
  /NOT NULL constraint failed: organisations\.name/.test(textOf(error))
