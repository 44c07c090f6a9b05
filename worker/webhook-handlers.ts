/** Webhook endpoints of an organisation, and what its clusters have sent to them. */
import { and, asc, desc, eq, or } from 'drizzle-orm'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import type * as z from 'zod'
import { webhookExample } from '../schema/api/webhook-types.ts'
import type * as w from '../schema/api/webhooks.ts'
import { HoldfastError } from '../schema/errors.ts'
import { LIMITS } from '../schema/limits.ts'
import { webhookEndpoints } from '../schema/tables/tenants.ts'
import type { WebhookEvent } from '../schema/webhook-events.ts'
import type { Statement } from './account-writes.ts'
import type { ClusterRow } from './api-keys.ts'
import { accountsOf, asking, type Call, notFound, open, settled, stubOf } from './calls.ts'
import { textOf } from './d1-errors.ts'
import { type EndpointRow, listOf, receiverOf } from './webhooks/endpoints.ts'
import { offAtMs } from './webhooks/judge.ts'
import { askedOf, lacking, placeOf, signsNothing } from './webhooks/places.ts'
import { send } from './webhooks/send.ts'
import { newWebhookSecret } from './webhooks/signing.ts'

export const webhookHandlers = {
  listWebhooks: async (call: Call) => {
    const [clusters, rows] = await Promise.all([
      clustersOf(call),
      database(call)
        .select()
        .from(webhookEndpoints)
        .where(eq(webhookEndpoints.organisationId, asking(call).organisation.id))
        .orderBy(asc(webhookEndpoints.name))
        .all(),
    ])
    return { webhooks: rows.map((row) => viewOf(row, clusters)) }
  },

  createWebhook: async (call: Call<z.output<typeof w.createWebhook>>) => {
    const { name, kind, url, routingKey, to, everyMs, ...filter } = call.body
    const place = placeOf(call.env, kind, { url, routingKey, to, everyMs })
    if (place.url === undefined) throw lacking(kind)
    const { id: organisationId } = asking(call).organisation
    const clusters = await clustersOf(call)
    const db = database(call)
    const there = await db
      .select({ name: webhookEndpoints.name })
      .from(webhookEndpoints)
      .where(eq(webhookEndpoints.organisationId, organisationId))
      .all()
    if (there.some((one) => one.name === name)) throw nameTaken(name)
    if (there.length >= LIMITS.webhooksMax)
      throw new HoldfastError({
        code: 'LIMIT_REACHED',
        message: `the organisation has ${there.length} webhooks, and may have no more`,
        remedy: 'Delete some that are no longer used: holdfast webhook delete NAME',
      })
    const row: EndpointRow = {
      ...{ id: crypto.randomUUID(), organisationId, name, kind, url: place.url },
      secret: place.secret ?? (kind === 'webhook' ? newWebhookSecret() : ''),
      ...{ oldSecret: null, oldUntilMs: null, clusters: null, types: null, groups: null },
      ...{
        createdAtMs: Date.now(),
        intervalMs: place.intervalMs ?? defaultOf(kind),
        failingSinceMs: null,
        warnedAtMs: null,
      },
      ...{ disabledAtMs: null, disabledWhy: null },
      ...stored(filter, clusters),
    }
    const view = viewOf(row, clusters)
    const answer = { ...view, secret: kind === 'webhook' ? row.secret : null }
    await orNameTaken(name, () =>
      commit(call, { row, after: view, answer, work: [db.insert(webhookEndpoints).values(row)] }),
    )
    return answer
  },

  changeWebhook: async (call: Call<z.output<typeof w.changeWebhook>>) => {
    const { url, routingKey, to, everyMs, enabled, ...filter } = call.body
    const [row, clusters] = await Promise.all([named(call), clustersOf(call)])
    const asked = { url, routingKey, to, everyMs }
    const place = placeOf(call.env, row.kind as w.WebhookKind, asked, row)
    const on = { disabledAtMs: null, disabledWhy: null, failingSinceMs: null, warnedAtMs: null }
    const off = { disabledAtMs: Date.now(), disabledWhy: `switched off by ${call.by}` }
    const set = {
      ...place,
      ...(enabled === true && on),
      ...(enabled === false && row.disabledAtMs === null && off),
      ...stored(filter, clusters),
    }
    const answer = viewOf({ ...row, ...set }, clusters)
    const work = Object.keys(set).length > 0 ? [update(call, row, set)] : []
    await commit(call, { row, before: viewOf(row, clusters), after: answer, answer, work })
    return answer
  },

  rotateWebhook: async (call: Call<z.output<typeof w.rotateWebhook>>) => {
    const row = await named(call)
    if (row.kind !== 'webhook') throw signsNothing(row)
    const overlapUntilMs = Date.now() + call.body.overlapMs
    const secret = newWebhookSecret()
    const set = { secret, oldSecret: row.secret, oldUntilMs: overlapUntilMs }
    const { id, name } = row
    const answer = { id, name, secret, overlapUntilMs }
    const [before, after] = [{ name }, { name, overlapUntilMs }]
    await commit(call, { row, before, after, answer, work: [update(call, row, set)] })
    return answer
  },

  deleteWebhook: async (call: Call) => {
    const [row, clusters] = await Promise.all([named(call), clustersOf(call)])
    const { id, name } = row
    const work = [database(call).delete(webhookEndpoints).where(eq(webhookEndpoints.id, id))]
    const before = viewOf(row, clusters)
    await commit(call, { row, before, after: null, answer: { id, name }, work })
    return { id, name }
  },

  testWebhook: async (call: Call) =>
    sendOne(call, {
      ...{ type: 'webhook.test', timestamp: new Date().toISOString(), cluster: null, sequence: 0 },
      data: { message: `Sent by ${call.by}. Nothing has happened.` },
    }),

  triggerWebhook: async (call: Call<z.output<typeof w.triggerWebhook>>) =>
    sendOne(call, webhookExample(call.body.type, new Date().toISOString())),

  listWebhookEvents: async (
    call: Call<unknown, { after?: number; limit?: number; waitMs?: number }>,
  ) => open(call).stub.webhooks({ what: 'told', ...call.query }),

  listDeliveries: async (
    call: Call<unknown, { before?: number; limit?: number; state?: string }>,
  ) => {
    const { id } = await named(call)
    const deliveries = await open(call).stub.listDeliveries(id, call.query)
    return { deliveries }
  },

  replayWebhook: async (call: Call<z.output<typeof w.replayWebhook>>) => {
    const { id, name, kind, types, groups, disabledAtMs, disabledWhy } = await named(call)
    if (disabledAtMs !== null)
      throw new HoldfastError({
        code: 'WEBHOOK_OFF',
        message: `webhook "${name}" is switched off, so nothing is sent to it again`,
        why: `At ${new Date(disabledAtMs).toISOString()}: ${disabledWhy ?? 'no reason is known'}.`,
        remedy: `Switch it on first: holdfast webhook change ${name} --on`,
      })
    const { stub } = open(call)
    return settled(
      await stub.replayWebhook({ id, name, kind, types, groups }, call.body, call.write),
    )
  },
}

/** Whatever its filters are, and although it may be off: somebody wants to see whether it gets there. */
async function sendOne(call: Call, event: WebhookEvent) {
  const row = await named(call)
  const to = receiverOf(row, Date.now())
  const answer = await send(to, `msg_${crypto.randomUUID()}`, event, call.env)
  await commit(call, { row, before: null, after: null, answer, work: [] })
  return answer
}

type Asks = Pick<Call, 'env' | 'principal' | 'tenants' | 'params' | 'accounts' | 'write'>

const database = ({ env }: Pick<Call, 'env'>): DrizzleD1Database => drizzle(env.DB)

const clustersOf = (call: Asks): Promise<ClusterRow[]> =>
  call.tenants.clusters(asking(call).organisation.id)

/** @throws {HoldfastError} NOT_FOUND */
async function named(call: Asks): Promise<EndpointRow> {
  const reference = call.params['webhook'] ?? ''
  const ofOrganisation = eq(webhookEndpoints.organisationId, asking(call).organisation.id)
  const isIt = or(eq(webhookEndpoints.id, reference), eq(webhookEndpoints.name, reference))
  const row = await database(call)
    .select()
    .from(webhookEndpoints)
    .where(and(ofOrganisation, isIt))
    .orderBy(desc(eq(webhookEndpoints.id, reference)))
    .get()
  if (!row) throw notFound('webhook', reference, 'List what there is: holdfast webhook list')
  return row
}

function update(call: Asks, { id }: EndpointRow, set: Partial<EndpointRow>) {
  return database(call).update(webhookEndpoints).set(set).where(eq(webhookEndpoints.id, id))
}

interface Change {
  readonly row: EndpointRow
  readonly before?: object | null
  readonly after: object | null
  readonly answer: object
  readonly work: readonly Statement[]
}

const defaultOf = (kind: w.WebhookKind): number | null =>
  kind === 'heartbeat' ? LIMITS.heartbeatMs : null

/** With its entry in the audit log, and its answer. Secrets are in neither of the records. */
async function commit(
  call: Asks & { body: unknown },
  { row, before = null, after, answer, work }: Change,
): Promise<void> {
  const { id, name } = row
  const asked = askedOf(call.body as object | undefined, row.kind as w.WebhookKind)
  const told = {
    ...{ action: call.write.route, about: { kind: 'webhook', id, name }, asked },
    changes: before || after ? [{ table: 'webhook', id, before, after }] : [],
  }
  await accountsOf(call).commit(call.write, told, answer, work)
  if (row.kind !== 'heartbeat' || work.length === 0 || call.write.dryRun) return
  // Nobody else tells them; who is not reached now reads it with the next event of the cluster.
  const all = await clustersOf(call)
  await Promise.allSettled(
    all.map((one) => stubOf(call.env, one.objectId).webhooks({ what: 'changed' })),
  )
}

type Filter = Pick<z.output<typeof w.changeWebhook>, 'types' | 'clusters' | 'groups'>

/** @throws {HoldfastError} NOT_FOUND: a cluster that is none of the organisation's */
function stored({ types, clusters, groups }: Filter, all: readonly ClusterRow[]) {
  const ids = (references: readonly string[]) =>
    references.map((reference) => {
      const found = all.find((one) => one.id === reference || one.name === reference)
      if (!found) throw notFound('cluster', reference)
      return found.id
    })
  const text = (list: readonly string[] | null) => list && JSON.stringify([...new Set(list)])
  return {
    ...(types !== undefined && { types: text(types) }),
    ...(clusters !== undefined && { clusters: text(clusters && ids(clusters)) }),
    ...(groups !== undefined && { groups: text(groups) }),
  }
}

/** Clusters that are there no more are not shown. */
function viewOf(row: EndpointRow, all: readonly ClusterRow[]): w.WebhookView {
  const { id, name, kind, url, createdAtMs, failingSinceMs, disabledAtMs, disabledWhy } = row
  const clusters = listOf(row.clusters)
  return {
    ...{ id, name, kind: kind as w.WebhookKind, url, createdAtMs, failingSinceMs },
    everyMs: row.intervalMs,
    offAtMs: failingSinceMs === null || disabledAtMs !== null ? null : offAtMs(failingSinceMs),
    types: listOf(row.types)?.slice() ?? null,
    groups: listOf(row.groups)?.slice() ?? null,
    clusters:
      clusters &&
      all.filter((one) => clusters.includes(one.id)).map((one) => ({ id: one.id, name: one.name })),
    disabled: disabledAtMs === null ? null : { atMs: disabledAtMs, why: disabledWhy ?? '' },
  }
}

const nameTaken = (name: string, cause?: unknown) =>
  new HoldfastError(
    {
      code: 'NAME_TAKEN',
      message: `a webhook named "${name}" exists already`,
      remedy: 'Choose another name, or change that one: holdfast webhook change NAME',
    },
    { cause },
  )

async function orNameTaken(name: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    if (!/UNIQUE constraint failed: webhook_endpoints\./.test(textOf(cause))) throw cause
    throw nameTaken(name, cause)
  }
}
