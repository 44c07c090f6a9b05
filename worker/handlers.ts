import type * as z from 'zod'
import type * as b from '../schema/api/bodies.ts'
import type { changeSettings as changeSettingsBody } from '../schema/api/management.ts'
import type { RouteName, routes } from '../schema/api/routes.ts'
import type { controlResource } from '../schema/api/types.ts'
import { API_VERSION } from '../schema/api/version.ts'
import type { Request, SingleRequest } from '../schema/event.ts'
import { authHandlers } from './accounts/auth-handlers.ts'
import { deviceHandlers } from './accounts/device.ts'
import { loginHandlers } from './accounts/login-handlers.ts'
import { memberHandlers } from './accounts/member-handlers.ts'
import { secondFactorHandlers } from './accounts/second-factor-handlers.ts'
import { auditHandlers } from './audit-handlers.ts'
import { backupHandlers } from './backup-handlers.ts'
import {
  accountsOf,
  ask,
  asking,
  type Call,
  find,
  groupWithIds,
  ids,
  kept,
  notFound,
  onThing,
  open,
  type Stub,
  settled,
  stubOf,
  thing,
  view,
  why,
  withIds,
} from './calls.ts'
import { clusterEndHandlers } from './cluster-end-handlers.ts'
import { clusterNameFree, clusterNameTaken, newObjectId } from './cluster-names.ts'
import { configHandlers } from './config-handlers.ts'
import { openApiText } from './docs/serve.ts'
import { join } from './join.ts'
import { keyHandlers } from './key-handlers.ts'
import { maintenanceHandlers } from './maintenance-handlers.ts'
import { metricHandlers } from './metric-handlers.ts'
import type { Kind } from './named-things.ts'
import { nodeHandlers } from './node-handlers.ts'
import { operationHandlers } from './operation-handlers.ts'
import { organisationHandlers } from './organisation-handlers.ts'
import { roleIn } from './principal.ts'
import { ruleHandlers } from './rule-handlers.ts'
import { changeSettings, isManaged, readSettings } from './settings.ts'
import { simulateHandlers } from './simulate-handlers.ts'
import { statusPageHandlers } from './status-page/handlers.ts'
import { webhookHandlers } from './webhook-handlers.ts'

type Handler = (call: Call<never, never>) => Promise<unknown>

/** Accounts, keys and the list of clusters. Sessions of hosts go on without it. */
async function accountsCheck(db: D1Database) {
  const name = 'accounts'
  try {
    await db.prepare('select 1').first()
    return { name, ok: true, detail: 'the accounts database answers' }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return {
      name,
      ok: false,
      detail: `the accounts database does not answer: ${why.slice(0, 200)}`,
    }
  }
}

/** What each route does. Names of nodes, groups and resources become GUIDs here. */
export const handlers: Record<RouteName, Handler> = {
  health: async (call: Call) => {
    const accounts = await accountsCheck(call.env.DB)
    return { ok: accounts.ok, version: API_VERSION, checks: [accounts] }
  },

  openapi: async () => openApiText(),

  listClusters: async (call: Call) => {
    const principal = asking(call)
    const all = await call.tenants.clusters(principal.organisation.id)
    return { clusters: all.filter((one) => roleIn(principal, one.id) !== null).map(summary) }
  },

  createCluster: async (call: Call<z.output<typeof b.createCluster>>) => {
    const { name, profile } = call.body
    const id = crypto.randomUUID()
    const objectId = newObjectId(call.env)
    const organisationId = asking(call).organisation.id
    await clusterNameFree(call, name)
    const row = {
      ...{ id, organisationId, name, profile },
      ...{ objectId: objectId.toString(), createdAtMs: Date.now() },
    }
    // Formed first: what is in the list of clusters can be asked.
    const request = { type: 'formCluster' as const, clusterId: id, name, profile }
    const stub = stubOf(call.env, row.objectId)
    if (!call.write.dryRun) await call.tenants.reserve(row.objectId)
    if (!call.write.dryRun)
      settled(await stub.ask(request, call.by, { ...call.write, once: null }, { fields: {} }))
    const about = { kind: 'cluster', id, name }
    const changes = [{ table: 'cluster', id, before: null, after: summary(row) }]
    const told = { action: 'createCluster', about, asked: call.body, changes }
    const done = await call.tenants.addCluster(row, (work) =>
      accountsOf(call).commit(call.write, told, summary(row), work),
    )
    if (!done) {
      // Somebody else was faster: what was formed is nobody's.
      await stub.destroy()
      throw clusterNameTaken(name)
    }
    return summary(row)
  },

  getCluster: async (call: Call) => view(open(call).stub),

  changeCluster: async (call: Call<z.output<typeof b.changeCluster>>) => {
    const { takeover, placement, startsPerNode } = call.body
    const [first, ...more]: SingleRequest[] = [
      ...(placement ? [{ type: 'setPlacement' as const, placement }] : []),
      ...(startsPerNode ? [{ type: 'setStarts' as const, startsPerNode }] : []),
      ...(takeover ? [{ type: 'setTakeover' as const, takeover }] : []),
    ]
    if (!first) throw new Error('a change of a cluster that names nothing')
    const request: Request =
      more.length === 0 ? first : { type: 'batch', requests: [first, ...more] }
    return ask(call, request, { fields: { id: null } })
  },

  getHive: async (call: Call<unknown, { path?: string; version?: number }>) => {
    const { stub } = open(call)
    const { path, version } = call.query
    const hive = await stub.read({ what: 'hive', path, version })
    if (!hive) throw notFound('key or version of the hive', path ?? String(version))
    return hive
  },

  createToken: async (call: Call<z.output<typeof b.createToken>>) => {
    const { id: clusterId, name: clusterName } = open(call).row
    const { uses, ttlMs } = call.body
    const { answer, row, insert } = await call.tenants.newToken(clusterId, uses, ttlMs)
    const { hash: _, ...after } = row
    const about = { kind: 'cluster', id: clusterId, name: clusterName }
    const changes = [{ table: 'joinToken', id: row.id, before: null, after }]
    const told = { action: 'createToken', about, asked: { uses, ttlMs }, changes }
    await accountsOf(call).commit(call.write, told, answer, [insert])
    return answer
  },

  join: async (call: Call<z.output<typeof b.join>>) => join(call, (id) => stubOf(call.env, id)),

  listTypes: async (call: Call) => {
    const types = await open(call).stub.read({ what: 'types' })
    return { types: types.map((one) => ({ ...one, managed: isManaged(one.type) })) }
  },

  ...authHandlers,
  ...loginHandlers,
  ...secondFactorHandlers,
  ...deviceHandlers,
  ...memberHandlers,
  ...organisationHandlers,
  ...keyHandlers,
  ...auditHandlers,
  ...backupHandlers,
  ...clusterEndHandlers,
  ...webhookHandlers,
  ...nodeHandlers,
  ...ruleHandlers,
  ...maintenanceHandlers,
  ...metricHandlers,
  ...statusPageHandlers,
  ...simulateHandlers,
  ...configHandlers,
  ...operationHandlers,

  listGroups: async (call: Call) => ({ groups: (await view(open(call).stub)).groups }),
  getGroup: async (call: Call) => thing(call, 'group'),
  whyGroup: async (call: Call<unknown, { atMs?: number }>) => why(call, 'group'),
  createGroup: async (call: Call<z.output<typeof b.createGroup>>) => {
    const { stub } = open(call)
    const { name, ...rest } = call.body
    const groupId = crypto.randomUUID()
    const settings = await groupWithIds(stub, rest)
    const request = { type: 'createGroup' as const, groupId, name, settings }
    return ask(call, request, { fields: { id: groupId } })
  },
  changeGroup: async (call: Call<z.output<typeof b.changeGroup>>) => {
    const { name, ...rest } = call.body
    return onThing(call, 'group', async (groupId, stub) => ({
      type: 'changeGroup',
      groupId,
      ...(name !== undefined && { name }),
      settings: await groupWithIds(stub, rest),
    }))
  },
  deleteGroup: async (call: Call) =>
    onThing(call, 'group', (groupId) => ({ type: 'deleteGroup', groupId })),
  unstickGroup: async (call: Call) =>
    onThing(call, 'group', (groupId) => ({ type: 'unstickGroup', groupId })),

  listResources: async (call: Call) => ({
    resources: (await view(open(call).stub)).groups.flatMap((g) => g.resources),
  }),
  getResource: async (call: Call) => thing(call, 'resource'),
  whyResource: async (call: Call<unknown, { atMs?: number }>) => why(call, 'resource'),
  getEvidence: async (call: Call) => {
    const { stub } = open(call)
    const { id } = await find(call, 'resource')
    return stub.read({ what: 'evidence', resourceId: id })
  },
  controlResource: async (call: Call<z.output<typeof controlResource>>) => {
    const { stub } = open(call)
    const { id } = await find(call, 'resource')
    const done = await stub.control({ resourceId: id, ...call.body, by: call.by }, call.write)
    return kept(call, stub, settled(done))
  },
  createResource: async (call: Call<z.output<typeof b.createResource>>) => {
    const { stub } = open(call)
    const { name, group, type, persistentState, ...rest } = call.body
    const resourceId = crypto.randomUUID()
    const request: Request = {
      type: 'createResource',
      resourceId,
      groupId: (await ids(stub, 'group', [group]))[0] as string,
      name,
      resourceType: type,
      persistentState,
      settings: await withIds(stub, rest),
    }
    return ask(call, request, { fields: { id: resourceId } })
  },
  changeResource: async (call: Call<z.output<typeof b.changeResource>>) => {
    const { name, ...rest } = call.body
    return onThing(call, 'resource', async (resourceId, stub) => ({
      type: 'changeResource',
      resourceId,
      ...(name !== undefined && { name }),
      settings: await withIds(stub, rest),
    }))
  },
  getSettings: async (call: Call) => {
    const { stub } = open(call)
    const resource = await thing(call, 'resource')
    return readSettings(resource, (code) =>
      stub.control({ resourceId: resource.id, code, input: {}, by: call.by }, null),
    )
  },
  changeSettings: async (call: Call<z.output<typeof changeSettingsBody>>) => {
    const { stub } = open(call)
    const answer = await changeSettings(call.body, {
      resource: () => thing(call, 'resource'),
      ask: (request, fields) => stub.ask(request, call.by, call.write, { fields }),
      // Committed with the change that it follows: it may be tried again, and is no write of its own.
      control: (resourceId, code, input) =>
        stub.control({ resourceId, code, input: { ...input }, by: call.by }, null),
    })
    return kept(call, stub, answer)
  },
  deleteResource: async (call: Call) =>
    onThing(call, 'resource', (resourceId) => ({ type: 'deleteResource', resourceId })),

  listEvents: async (
    call: Call<unknown, { after?: number; limit?: number; waitMs?: number; observed?: number }>,
  ) => {
    const { stub } = open(call)
    const { after = 0, limit = 200, waitMs = 0, observed } = call.query
    if (waitMs > 0) await stub.wait({ seq: after, observed }, waitMs)
    return stub.read({ what: 'events', after, limit })
  },
  listLog: async (call: Call<unknown, z.output<(typeof routes)['listLog']['query']>>) => {
    const { stub } = open(call)
    const { after, limit = 200, waitMs = 0, resource, group, ...filter } = call.query
    if (waitMs > 0 && after !== undefined) await stub.wait({ logId: after }, waitMs)
    return stub.read({
      what: 'log',
      after: after ?? null,
      limit,
      resourceId: await loggedId(stub, 'resource', resource),
      groupId: await loggedId(stub, 'group', group),
      ...filter,
    })
  },
}

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** A GUID stands for itself: the log is also read for what has been deleted (S-98). */
async function loggedId(stub: Stub, kind: Kind, reference: string | undefined) {
  if (reference === undefined || GUID.test(reference)) return reference
  return (await ids(stub, kind, [reference]))[0]
}

function summary(row: { id: string; name: string; profile: string; createdAtMs: number }) {
  const { id, name, profile, createdAtMs } = row
  return { id, name, profile, createdAtMs }
}
