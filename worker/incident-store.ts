/** Evidence about resources whose module took a resource monitor along (S-32): the latest few of each. */
import { desc, eq, sql } from 'drizzle-orm'
import type { DrizzleSqliteDODatabase } from 'drizzle-orm/durable-sqlite'
import { type Incident, incident } from '../schema/last-calls.ts'
import { incidents } from '../schema/tables/durable.ts'
import type { Evidence } from './core/decision.ts'

const KEPT = 3

/** Within the transaction of the decision that it belongs to. */
export function storeEvidence(db: DrizzleSqliteDODatabase, { resourceId, nodeId, what }: Evidence) {
  db.insert(incidents)
    .values({ resourceId, nodeId, body: JSON.stringify(what) })
    .run()
  const older = sql`${incidents.resourceId} = ${resourceId} and ${incidents.id} not in (select ${incidents.id} from ${incidents} where ${incidents.resourceId} = ${resourceId} order by ${incidents.id} desc limit ${KEPT})`
  db.delete(incidents).where(older).run()
}

export function forgetEvidence(db: DrizzleSqliteDODatabase, resourceId: string): void {
  db.delete(incidents).where(eq(incidents.resourceId, resourceId)).run()
}

/** Newest first. */
export function readEvidence(
  db: DrizzleSqliteDODatabase,
  resourceId: string,
): (Incident & { nodeId: string })[] {
  return db
    .select()
    .from(incidents)
    .where(eq(incidents.resourceId, resourceId))
    .orderBy(desc(incidents.id))
    .all()
    .map(({ nodeId, body }) => ({ nodeId, ...incident.parse(JSON.parse(body)) }))
}
