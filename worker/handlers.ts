import type * as z from 'zod'
import type * as b from '../schema/api/bodies.ts'
import type { changeSettings as changeSettingsBody } from '../schema/api/management.ts'
import type { RouteName, routes } from '../schema/api/routes.ts'
import type { controlResource } from '../schema/api/types.ts'
import type { WhyView } from '../schema/api/why.ts'
import { HoldfastError, type Refusal } from '../schema/errors.ts'
import type { Request } from '../schema/event.ts'
import type { ControlAsk, Controlled } from './controls.ts'
import type { Tested } from './fence-tests.ts'
import { join } from './join.ts'
import type { Target } from './move-checks.ts'
import type { AnswerTo, Read, Waiter } from './object-reads.ts'
import { changeSettings, isManaged, readSettings } from './settings.ts'
import type { Tenants } from './tenants.ts'

export interface Call<B = unknown, Q = unknown> {
  env: Env
  tenants: Tenants
  /** Name of the API key. */
  by: string
  params: Record<string, string>
  body: B
  query: Q
}

type Handler = (call: Call<never, never>) => Promise<unknown>

const VERSION = '0.1.0'

/** What each route does. Names of nodes, groups and resources become GUIDs here. */
export const handlers: Record<RouteName, Handler> = {
  health: async () => ({ ok: true, version: VERSION }),

  listClusters: async (call: Call) => ({ clusters: (await call.tenants.clusters()).map(summary) }),

  createCluster: async (call: Call<z.output<typeof b.createCluster>>) => {
    const { name, profile } = call.body
    const id = crypto.randomUUID()
    const objectId = call.env.CLUSTER.newUniqueId()
    const row = { id, name, profile, objectId: objectId.toString(), createdAtMs: Date.now() }
    if (!(await call.tenants.addCluster(row)))
      throw new HoldfastError({
        code: 'NAME_TAKEN',
        message: `a cluster named "${name}" exists already`,
        remedy: 'Choose another name.',
      })
    const stub = stubOf(call.env, row.objectId)
    try {
      settled(await stub.ask({ type: 'formCluster', clusterId: id, name, profile }, call.by))
    } catch (error) {
      await call.tenants.removeCluster(id)
      throw error
    }
    return summary(row)
  },

  getCluster: async (call: Call) => view((await open(call)).stub),

  changeCluster: async (call: Call<z.output<typeof b.changeCluster>>) => {
    const { takeover } = call.body
    return ask((await open(call)).stub, call.by, { type: 'setTakeover', takeover }, null)
  },

  getHive: async (call: Call<unknown, { path?: string; version?: number }>) => {
    const { stub } = await open(call)
    const { path, version } = call.query
    const hive = await stub.read({ what: 'hive', path, version })
    if (!hive) throw notFound('key or version of the hive', path ?? String(version))
    return hive
  },

  createToken: async (call: Call<z.output<typeof b.createToken>>) => {
    const { row } = await open(call)
    return call.tenants.addToken(row.id, call.body.uses, call.body.ttlMs)
  },

  join: async (call: Call<z.output<typeof b.join>>) => join(call, (id) => stubOf(call.env, id)),

  listTypes: async (call: Call) => {
    const types = await (await open(call)).stub.read({ what: 'types' })
    return { types: types.map((one) => ({ ...one, managed: isManaged(one.type) })) }
  },

  listNodes: async (call: Call<unknown, { available?: 'true' | 'false' }>) => {
    const { nodes } = await view((await open(call)).stub)
    return {
      nodes:
        call.query.available === 'true'
          ? nodes.filter((n) => n.state === 'up' && !n.paused)
          : nodes,
    }
  },
  getNode: async (call: Call) => find(await view((await open(call)).stub), 'node', call),
  pauseNode: async (call: Call) =>
    onThing(call, 'node', (nodeId) => ({ type: 'pauseNode', nodeId, paused: true })),
  drainNode: async (call: Call) =>
    onThing(call, 'node', (nodeId) => ({ type: 'drainNode', nodeId })),
  resumeNode: async (call: Call) =>
    onThing(call, 'node', (nodeId) => ({ type: 'pauseNode', nodeId, paused: false })),
  evictNode: async (call: Call<unknown, { lost?: 'true' | 'false' }>) =>
    onThing(call, 'node', (nodeId) => ({
      type: 'evictNode',
      nodeId,
      ...(call.query.lost === 'true' && { lost: true }),
    })),
  whyNode: async (call: Call) => why(call, 'node'),

  setFence: async (call: Call<z.output<typeof b.setFence>>) => {
    const { helpers, ...rest } = call.body
    return onThing(call, 'node', (nodeId, cluster) => ({
      type: 'setFence',
      nodeId,
      fence: { ...rest, helpers: helpers && ids(cluster, 'node', helpers) },
    }))
  },
  removeFence: async (call: Call) =>
    onThing(call, 'node', (nodeId) => ({ type: 'setFence', nodeId, fence: null })),
  confirmFence: async (call: Call<z.output<typeof b.confirmFence>>) =>
    onThing(call, 'node', (nodeId) => ({ type: 'confirmFence', nodeId, ...call.body })),
  testFence: async (call: Call<z.output<typeof b.testFence>>) => {
    const { stub } = await open(call)
    const cluster = await view(stub)
    const { id, name } = find(cluster, 'node', call)
    const { helper } = call.body
    const only = helper === undefined ? null : (ids(cluster, 'node', [helper])[0] as string)
    const tested = await stub.testFence(id, only)
    if ('refused' in tested) throw new HoldfastError(tested.refused)
    const agent = cluster.nodes.find((n) => n.id === id)?.fence?.agent ?? ''
    return { node: name, agent, ...tested }
  },

  listGroups: async (call: Call) => ({ groups: (await view((await open(call)).stub)).groups }),
  getGroup: async (call: Call) => find(await view((await open(call)).stub), 'group', call),
  whyGroup: async (call: Call) => why(call, 'group'),
  createGroup: async (call: Call<z.output<typeof b.createGroup>>) => {
    const { stub } = await open(call)
    const { name, preferredOwners, ...rest } = call.body
    const owners = preferredOwners && ids(await view(stub), 'node', preferredOwners)
    const groupId = crypto.randomUUID()
    const settings = { ...rest, ...(owners && { preferredOwners: owners }) }
    return ask(stub, call.by, { type: 'createGroup', groupId, name, settings }, groupId)
  },
  changeGroup: async (call: Call<z.output<typeof b.changeGroup>>) => {
    const { name, preferredOwners, ...rest } = call.body
    return onThing(call, 'group', (groupId, cluster) => ({
      type: 'changeGroup',
      groupId,
      ...(name !== undefined && { name }),
      settings: {
        ...rest,
        ...(preferredOwners && { preferredOwners: ids(cluster, 'node', preferredOwners) }),
      },
    }))
  },
  deleteGroup: async (call: Call) =>
    onThing(call, 'group', (groupId) => ({ type: 'deleteGroup', groupId })),
  moveGroup: async (call: Call<z.output<typeof b.moveGroup>>) => {
    const { stub } = await open(call)
    const cluster = await view(stub)
    const { id: groupId } = find(cluster, 'group', call)
    const { to: wanted, method } = call.body
    const named = wanted === undefined ? null : (ids(cluster, 'node', [wanted])[0] as string)
    const target = await stub.targetOf(groupId, named)
    if ('refused' in target) throw new HoldfastError(target.refused)
    const { to } = target
    const mid = crypto.randomUUID()
    return ask(stub, call.by, { type: 'moveGroup', groupId, to, method, mid }, groupId)
  },
  failbackGroup: async (call: Call) =>
    onThing(call, 'group', (groupId) => ({ type: 'failbackGroup', groupId })),
  failoverGroup: async (call: Call) =>
    onThing(call, 'group', (groupId) => ({ type: 'failoverGroup', groupId })),
  onlineGroup: async (call: Call) =>
    onThing(call, 'group', (groupId) => ({ type: 'setGroupState', groupId, persistentState: 1 })),
  offlineGroup: async (call: Call) =>
    onThing(call, 'group', (groupId) => ({ type: 'setGroupState', groupId, persistentState: 0 })),

  listResources: async (call: Call) => ({
    resources: (await view((await open(call)).stub)).groups.flatMap((g) => g.resources),
  }),
  getResource: async (call: Call) => find(await view((await open(call)).stub), 'resource', call),
  whyResource: async (call: Call) => why(call, 'resource'),
  getEvidence: async (call: Call) => {
    const { stub } = await open(call)
    const { id } = find(await view(stub), 'resource', call)
    return stub.read({ what: 'evidence', resourceId: id })
  },
  controlResource: async (call: Call<z.output<typeof controlResource>>) => {
    const { stub } = await open(call)
    const { id } = find(await view(stub), 'resource', call)
    const done = await stub.control({ resourceId: id, ...call.body, by: call.by })
    if ('refused' in done) throw new HoldfastError(done.refused)
    return done
  },
  createResource: async (call: Call<z.output<typeof b.createResource>>) => {
    const { stub } = await open(call)
    const cluster = await view(stub)
    const { name, group, type, persistentState, ...rest } = call.body
    const resourceId = crypto.randomUUID()
    return ask(
      stub,
      call.by,
      {
        type: 'createResource',
        resourceId,
        groupId: ids(cluster, 'group', [group])[0] as string,
        name,
        resourceType: type,
        persistentState,
        settings: withIds(cluster, rest),
      },
      resourceId,
    )
  },
  changeResource: async (call: Call<z.output<typeof b.changeResource>>) => {
    const { name, ...rest } = call.body
    return onThing(call, 'resource', (resourceId, cluster) => ({
      type: 'changeResource',
      resourceId,
      ...(name !== undefined && { name }),
      settings: withIds(cluster, rest),
    }))
  },
  getSettings: async (call: Call) => {
    const { stub } = await open(call)
    const resource = find(await view(stub), 'resource', call) as b.ResourceView
    return readSettings(resource, (code) =>
      stub.control({ resourceId: resource.id, code, input: {}, by: call.by }),
    )
  },
  changeSettings: async (call: Call<z.output<typeof changeSettingsBody>>) => {
    const { stub } = await open(call)
    return changeSettings(call.body, {
      resource: async () => find(await view(stub), 'resource', call) as b.ResourceView,
      ask: (request) => stub.ask(request, call.by),
      control: async (code, input) => {
        const { id } = find(await view(stub), 'resource', call) as b.ResourceView
        return stub.control({ resourceId: id, code, input: { ...input }, by: call.by })
      },
    })
  },
  deleteResource: async (call: Call) =>
    onThing(call, 'resource', (resourceId) => ({ type: 'deleteResource', resourceId })),
  onlineResource: async (call: Call) =>
    onThing(call, 'resource', (resourceId) => ({
      type: 'setResourceState',
      resourceId,
      persistentState: 1,
    })),
  offlineResource: async (call: Call) =>
    onThing(call, 'resource', (resourceId) => ({
      type: 'setResourceState',
      resourceId,
      persistentState: 0,
    })),

  listEvents: async (
    call: Call<unknown, { after?: number; limit?: number; waitMs?: number; observed?: number }>,
  ) => {
    const { stub } = await open(call)
    const { after = 0, limit = 200, waitMs = 0, observed } = call.query
    if (waitMs > 0) await stub.wait({ seq: after, observed }, waitMs)
    return stub.read({ what: 'events', after, limit })
  },
  listLog: async (call: Call<unknown, z.output<(typeof routes)['listLog']['query']>>) => {
    const { stub } = await open(call)
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
  return ids(await view(stub), kind, [reference])[0]
}

async function why(call: Call, kind: Kind): Promise<WhyView> {
  const { stub } = await open(call)
  const { id, name } = find(await view(stub), kind, call)
  const answer = await stub.read({ what: 'why', kind, id })
  if (!answer) throw notFound(kind, name)
  return answer
}

/** The object's methods as the Worker calls them; their answers are plain data. */
interface Stub {
  ask(request: Request, by: string): Promise<{ refused: Refusal } | { seq: number }>
  read<R extends Read>(what: R): Promise<AnswerTo<R>>
  wait(after: Waiter, ms: number): Promise<void>
  testFence(nodeId: string, helper: string | null): Promise<Tested>
  control(ask: ControlAsk): Promise<Controlled>
  targetOf(groupId: string, named: string | null): Promise<Target>
}

const stubOf = (env: Env, objectId: string): Stub =>
  env.CLUSTER.get(env.CLUSTER.idFromString(objectId)) as unknown as Stub

async function open(call: Call): Promise<{ stub: Stub; row: { id: string } }> {
  const row = await call.tenants.cluster(call.params['cluster'] ?? '')
  if (!row) throw notFound('cluster', call.params['cluster'] ?? '')
  return { stub: stubOf(call.env, row.objectId), row }
}

/** The object itself, for what is not a call with an answer. */
export async function openCluster(env: Env, tenants: Tenants, reference: string) {
  const row = await tenants.cluster(reference)
  if (!row) throw notFound('cluster', reference)
  return env.CLUSTER.get(env.CLUSTER.idFromString(row.objectId))
}

async function view(stub: Stub): Promise<b.ClusterView> {
  return stub.read({ what: 'cluster' })
}

async function ask(stub: Stub, by: string, request: Request, id: string | null) {
  return { ...settled(await stub.ask(request, by)), id }
}

function settled(answer: { refused: Refusal } | { seq: number }): { seq: number } {
  if ('refused' in answer) throw new HoldfastError(answer.refused)
  return answer
}

type Kind = 'node' | 'group' | 'resource'

/** A request about one thing that the path names. */
async function onThing(
  call: Call,
  kind: Kind,
  make: (id: string, cluster: b.ClusterView) => Request,
) {
  const { stub } = await open(call)
  const cluster = await view(stub)
  const { id } = find(cluster, kind, call)
  return ask(stub, call.by, make(id, cluster), id)
}

function things(cluster: b.ClusterView, kind: Kind): readonly { id: string; name: string }[] {
  if (kind === 'node') return cluster.nodes
  return kind === 'group' ? cluster.groups : cluster.groups.flatMap((g) => g.resources)
}

function find(cluster: b.ClusterView, kind: Kind, call: Call) {
  const reference = call.params[kind] ?? ''
  const found = things(cluster, kind).find((x) => x.id === reference || x.name === reference)
  if (!found) throw notFound(kind, reference)
  return found
}

function ids(cluster: b.ClusterView, kind: Kind, references: readonly string[]): string[] {
  return references.map((reference) => {
    const found = things(cluster, kind).find((x) => x.id === reference || x.name === reference)
    if (!found) throw notFound(kind, reference)
    return found.id
  })
}

function withIds<
  T extends { dependsOn?: string[] | undefined; possibleOwners?: string[] | null | undefined },
>(cluster: b.ClusterView, settings: T): T {
  const { dependsOn, possibleOwners } = settings
  return {
    ...settings,
    ...(dependsOn && { dependsOn: ids(cluster, 'resource', dependsOn) }),
    ...(possibleOwners && { possibleOwners: ids(cluster, 'node', possibleOwners) }),
  }
}

function summary(row: { id: string; name: string; profile: string; createdAtMs: number }) {
  const { id, name, profile, createdAtMs } = row
  return { id, name, profile, createdAtMs }
}

function notFound(what: string, reference: string): HoldfastError {
  return new HoldfastError({
    code: 'NOT_FOUND',
    message: `there is no ${what} "${reference}"`,
    remedy: 'List what there is: holdfast status',
  })
}
