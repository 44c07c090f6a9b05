/** Webhook endpoints in D1, as the objects of clusters see them. */
import { and, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import type { WebhookKind } from '../../schema/api/webhooks.ts'
import { members, persons } from '../../schema/tables/accounts.ts'
import { clusters, webhookEndpoints } from '../../schema/tables/tenants.ts'
import type { WebhookEventType } from '../../schema/webhook-events.ts'
import { type Receiver, toldTo } from './kinds/kinds.ts'

export type EndpointRow = typeof webhookEndpoints.$inferSelect

export interface Endpoint extends Receiver {
  readonly id: string
  readonly failingSinceMs: number | null
  readonly warnedAtMs: number | null
  /** Of a heartbeat: how often it is pinged. */
  readonly intervalMs: number | null
  wants(type: string, group: string | null): boolean
}

/** Between two attempts: an endpoint that is switched off is left alone within that time. */
const KNOWN_FOR_MS = 10_000

export class Endpoints {
  readonly #db: DrizzleD1Database
  #known: { atMs: number; list: readonly Endpoint[] } | null = null

  readonly #of: ReturnType<typeof endpointsOf>

  constructor(d1: D1Database) {
    this.#db = drizzle(d1)
    this.#of = endpointsOf(this.#db)
  }

  /** Those of its organisation that are on, and tell of this cluster. */
  async of(clusterId: string): Promise<readonly Endpoint[]> {
    const nowMs = Date.now()
    if (this.#known && Math.abs(nowMs - this.#known.atMs) < KNOWN_FOR_MS) return this.#known.list
    const rows = await this.#of.all({ clusterId })
    const all = rows.map(({ endpoint }) => endpoint)
    const list = all.filter((row) => includes(row.clusters, clusterId)).map(endpointOf)
    this.#known = { atMs: nowMs, list }
    return list
  }

  /** Those that are pinged for the cluster of this object, as they are now. */
  async heartbeatsOf(objectId: string): Promise<readonly Endpoint[]> {
    const rows = await this.#db
      .select({ endpoint: webhookEndpoints, clusterId: clusters.id })
      .from(webhookEndpoints)
      .innerJoin(clusters, eq(clusters.organisationId, webhookEndpoints.organisationId))
      .where(
        and(
          ...[eq(clusters.objectId, objectId), eq(webhookEndpoints.kind, 'heartbeat')],
          isNull(webhookEndpoints.disabledAtMs),
        ),
      )
      .all()
    return rows
      .filter(({ endpoint, clusterId }) => includes(endpoint.clusters, clusterId))
      .map(({ endpoint }) => endpointOf(endpoint))
  }

  /** What is known is asked anew the next time. */
  forget(): void {
    this.#known = null
  }

  async failing(id: string, sinceMs: number): Promise<void> {
    const still = and(eq(webhookEndpoints.id, id), isNull(webhookEndpoints.failingSinceMs))
    await this.#db.update(webhookEndpoints).set({ failingSinceMs: sinceMs }).where(still)
    this.forget()
  }

  async works(id: string): Promise<void> {
    const set = { failingSinceMs: null, warnedAtMs: null }
    await this.#db.update(webhookEndpoints).set(set).where(eq(webhookEndpoints.id, id))
    this.forget()
  }

  /** @returns whether it was this call that has done so: then it is for its caller to tell */
  async switchOff(id: string, why: string): Promise<boolean> {
    const on = and(eq(webhookEndpoints.id, id), isNull(webhookEndpoints.disabledAtMs))
    return this.#once({ disabledAtMs: Date.now(), disabledWhy: why }, on)
  }

  /** That it has been failing since then is told. @returns whether it is for the caller to do so */
  async warn(id: string, sinceMs: number): Promise<boolean> {
    const { failingSinceMs, warnedAtMs, disabledAtMs } = webhookEndpoints
    const still = and(eq(webhookEndpoints.id, id), eq(failingSinceMs, sinceMs))
    return this.#once(
      { warnedAtMs: Date.now() },
      and(still, isNull(warnedAtMs), isNull(disabledAtMs)),
    )
  }

  async #once(set: Partial<EndpointRow>, where: SQL | undefined): Promise<boolean> {
    const done = await this.#db.update(webhookEndpoints).set(set).where(where).returning()
    this.forget()
    return done.length > 0
  }

  /** Addresses of those who look after an organisation: its owners and admins. */
  async lookedAfterBy(organisationId: string): Promise<readonly string[]> {
    const rows = await this.#db
      .select({ email: persons.email })
      .from(members)
      .innerJoin(persons, eq(members.personId, persons.id))
      .where(
        and(eq(members.organisationId, organisationId), inArray(members.role, ['owner', 'admin'])),
      )
      .orderBy(persons.email)
      .all()
    return rows.map(({ email }) => email)
  }
}

export const listOf = (text: string | null): readonly string[] | null =>
  text === null ? null : (JSON.parse(text) as string[])

const includes = (list: string | null, one: string): boolean => listOf(list)?.includes(one) ?? true

const endpointOf = (row: EndpointRow): Endpoint => ({
  ...{ id: row.id, failingSinceMs: row.failingSinceMs, warnedAtMs: row.warnedAtMs },
  intervalMs: row.intervalMs,
  ...receiverOf(row, Date.now()),
  wants: wantsOf(row),
})

export function receiverOf(row: EndpointRow, nowMs: number): Receiver {
  const { name, kind, organisationId, url } = row
  return {
    ...{ name, kind: kind as WebhookKind, organisationId, url },
    secrets: secretsOf(row, nowMs),
  }
}

/** Which events it is for. */
export const wantsOf =
  ({ kind, types, groups }: Pick<EndpointRow, 'kind' | 'types' | 'groups'>): Endpoint['wants'] =>
  (type, group) =>
    (toldTo(kind as WebhookKind, type as WebhookEventType) ?? includes(types, type)) &&
    (groups === null || (group !== null && includes(groups, group)))

function secretsOf(
  { secret, oldSecret, oldUntilMs }: EndpointRow,
  nowMs: number,
): readonly string[] {
  const overlaps = oldSecret !== null && (oldUntilMs ?? 0) > nowMs
  return overlaps ? [secret, oldSecret] : [secret]
}

/** Asked with most decisions: made once. */
const endpointsOf = (db: DrizzleD1Database) =>
  db
    .select({ endpoint: webhookEndpoints })
    .from(webhookEndpoints)
    .innerJoin(clusters, eq(clusters.organisationId, webhookEndpoints.organisationId))
    .where(
      and(eq(clusters.id, sql.placeholder('clusterId')), isNull(webhookEndpoints.disabledAtMs)),
    )
    .prepare()
