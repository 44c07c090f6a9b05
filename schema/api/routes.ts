/**
 * The HTTP API as data: one table that the Worker serves and the client is made from. `:cluster`,
 * `:node`, `:group` and `:resource` take a name or a GUID.
 */
import * as z from 'zod'
import { LIMITS } from '../limits.ts'
import * as b from './bodies.ts'
import * as f from './fencing.ts'
import * as h from './health.ts'
import * as m from './management.ts'
import { operationRoutes } from './operation-routes.ts'
import * as p from './placement.ts'
import { planningRoutes } from './planning-routes.ts'
import type { Route } from './route.ts'
import * as t from './types.ts'
import { upkeepRoutes } from './upkeep-routes.ts'
import { whyQuery, whyView } from './why.ts'

const page = {
  /** Only what came after this number. */
  after: z.coerce.number().int().nonnegative().optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.pageSizeMax).optional(),
  /** Wait up to this long for something to come (long poll). */
  waitMs: z.coerce.number().int().min(0).max(30_000).optional(),
}

export const routes = {
  listClusters: {
    method: 'GET',
    path: '/v1/clusters',
    summary: 'Clusters of this account',
    response: z.object({ clusters: z.array(b.clusterSummary) }),
  },
  createCluster: {
    method: 'POST',
    path: '/v1/clusters',
    summary: 'Form a cluster',
    body: b.createCluster,
    response: b.clusterSummary,
  },
  getCluster: {
    method: 'GET',
    path: '/v1/clusters/:cluster',
    summary: 'Everything on one screen: nodes, groups, resources, problems',
    response: b.clusterView,
  },
  changeCluster: {
    method: 'PATCH',
    path: '/v1/clusters/:cluster',
    summary: 'Changes the takeover policy or the placement policy',
    body: b.changeCluster,
    response: b.done,
  },
  getHive: {
    method: 'GET',
    path: '/v1/clusters/:cluster/hive',
    summary: 'The hive as key-value tree, or one key of it; version=1 is the set-up snapshot',
    query: z.strictObject({
      path: z.string().max(512).optional(),
      version: z.coerce.number().int().positive().optional(),
    }),
    response: z.object({ seq: z.int(), hash: z.string(), value: z.json() }),
  },
  createToken: {
    method: 'POST',
    path: '/v1/clusters/:cluster/tokens',
    summary: 'Make a join token',
    body: b.createToken,
    response: b.tokenCreated,
  },
  join: {
    method: 'POST',
    path: '/v1/join',
    summary: 'Swap a join token for membership of this host’s key',
    body: b.join,
    response: b.joined,
  },
  listTypes: {
    method: 'GET',
    path: '/v1/clusters/:cluster/types',
    summary: 'Resource types and the nodes that can host them',
    response: z.object({ types: z.array(t.typeView) }),
  },
  listNodes: {
    method: 'GET',
    path: '/v1/clusters/:cluster/nodes',
    summary: 'The ordered node list; available=true: only nodes that may take groups (S-02)',
    query: z.strictObject({ available: z.enum(['true', 'false']).optional() }),
    response: z.object({ nodes: z.array(b.nodeView) }),
  },
  getNode: {
    method: 'GET',
    path: '/v1/clusters/:cluster/nodes/:node',
    summary: 'One node',
    response: b.nodeView,
  },
  whyNode: {
    method: 'GET',
    path: '/v1/clusters/:cluster/nodes/:node/why',
    summary: 'Why it is as it is: verdict, evidence, every node with its reason, what to do',
    query: whyQuery,
    response: whyView,
  },
  changeNode: {
    method: 'PATCH',
    path: '/v1/clusters/:cluster/nodes/:node',
    summary: 'What the node has, and what it fails together with',
    body: p.changeNode,
    response: b.done,
  },
  pauseNode: {
    method: 'POST',
    path: '/v1/clusters/:cluster/nodes/:node/pause',
    summary: 'No new placements there; what runs goes on',
    response: b.done,
  },
  resumeNode: {
    method: 'POST',
    path: '/v1/clusters/:cluster/nodes/:node/resume',
    summary: 'Ends a pause, a drain or a quarantine',
    body: p.resumeNode,
    response: b.done,
  },
  evictNode: {
    method: 'DELETE',
    path: '/v1/clusters/:cluster/nodes/:node',
    summary: 'Removes a node; one that owns groups only with lost=true, when its host is gone',
    query: z.strictObject({ lost: z.enum(['true', 'false']).optional() }),
    response: b.done,
  },
  setFence: {
    method: 'POST',
    path: '/v1/clusters/:cluster/nodes/:node/fence',
    summary: 'Sets how the node is fenced',
    body: f.setFence,
    response: b.done,
  },
  removeFence: {
    method: 'DELETE',
    path: '/v1/clusters/:cluster/nodes/:node/fence',
    summary: 'The node is no longer fenced by an agent',
    response: b.done,
  },
  confirmFence: {
    method: 'POST',
    path: '/v1/clusters/:cluster/nodes/:node/fence/confirm',
    summary: 'An operator states that this boot of the node is over (F5)',
    body: f.confirmFence,
    response: b.done,
  },
  testFence: {
    method: 'POST',
    path: '/v1/clusters/:cluster/nodes/:node/fence/test',
    summary: 'What the fence agent of the node says, run by its helpers; switches nothing',
    body: f.testFence,
    response: f.fenceTested,
  },
  ...upkeepRoutes,
  ...planningRoutes,
  ...operationRoutes,
  listRules: {
    method: 'GET',
    path: '/v1/clusters/:cluster/rules',
    summary: 'Rules that keep groups apart or together',
    response: z.object({ rules: z.array(p.ruleView) }),
  },
  createRule: {
    method: 'POST',
    path: '/v1/clusters/:cluster/rules',
    summary: 'Makes a rule; hard ones that contradict each other are refused',
    body: p.createRule,
    response: b.done,
  },
  deleteRule: {
    method: 'DELETE',
    path: '/v1/clusters/:cluster/rules/:rule',
    summary: 'Removes a rule',
    response: b.done,
  },
  listGroups: {
    method: 'GET',
    path: '/v1/clusters/:cluster/groups',
    summary: 'All groups',
    response: z.object({ groups: z.array(b.groupView) }),
  },
  createGroup: {
    method: 'POST',
    path: '/v1/clusters/:cluster/groups',
    summary: 'Makes an empty group',
    body: b.createGroup,
    response: b.done,
  },
  getGroup: {
    method: 'GET',
    path: '/v1/clusters/:cluster/groups/:group',
    summary: 'One group',
    response: b.groupView,
  },
  whyGroup: {
    method: 'GET',
    path: '/v1/clusters/:cluster/groups/:group/why',
    summary: 'Why it is as it is: verdict, evidence, every node with its reason, what to do',
    query: whyQuery,
    response: whyView,
  },
  changeGroup: {
    method: 'PATCH',
    path: '/v1/clusters/:cluster/groups/:group',
    summary: 'Changes name or settings',
    body: b.changeGroup,
    response: b.done,
  },
  deleteGroup: {
    method: 'DELETE',
    path: '/v1/clusters/:cluster/groups/:group',
    summary: 'Removes an empty group',
    response: b.done,
  },
  unstickGroup: {
    method: 'DELETE',
    path: '/v1/clusters/:cluster/groups/:group/stick',
    summary: 'It need not stay where it was moved to any more',
    response: b.done,
  },
  listResources: {
    method: 'GET',
    path: '/v1/clusters/:cluster/resources',
    summary: 'All resources',
    response: z.object({ resources: z.array(b.resourceView) }),
  },
  createResource: {
    method: 'POST',
    path: '/v1/clusters/:cluster/resources',
    summary: 'Adds a resource to a group',
    body: b.createResource,
    response: b.done,
  },
  getResource: {
    method: 'GET',
    path: '/v1/clusters/:cluster/resources/:resource',
    summary: 'One resource',
    response: b.resourceView,
  },
  whyResource: {
    method: 'GET',
    path: '/v1/clusters/:cluster/resources/:resource/why',
    summary: 'Why it is as it is: verdict, evidence, every node with its reason, what to do',
    query: whyQuery,
    response: whyView,
  },
  getEvidence: {
    method: 'GET',
    path: '/v1/clusters/:cluster/resources/:resource/evidence',
    summary: 'How its module took a resource monitor along, with the last calls before that',
    response: b.evidenceView,
  },
  controlResource: {
    method: 'POST',
    path: '/v1/clusters/:cluster/resources/:resource/control',
    summary: 'A control code of its type, done or answered by its module where it runs',
    body: t.controlResource,
    response: t.controlled,
  },
  changeResource: {
    method: 'PATCH',
    path: '/v1/clusters/:cluster/resources/:resource',
    summary: 'Changes name, properties, dependencies or policies',
    body: b.changeResource,
    response: b.done,
  },
  getSettings: {
    method: 'GET',
    path: '/v1/clusters/:cluster/resources/:resource/settings',
    summary: 'Its settings by the management extension of its type, and where what runs differs',
    response: m.settingsView,
  },
  changeSettings: {
    method: 'PATCH',
    path: '/v1/clusters/:cluster/resources/:resource/settings',
    summary: 'Changes some of its settings; dryRun: only says what would come of it',
    body: m.changeSettings,
    response: m.settingsChanged,
  },
  deleteResource: {
    method: 'DELETE',
    path: '/v1/clusters/:cluster/resources/:resource',
    summary: 'Removes a resource that is wanted offline',
    response: b.done,
  },
  listEvents: {
    method: 'GET',
    path: '/v1/clusters/:cluster/events',
    summary: 'Global updates in order, each with its reason',
    query: z.strictObject({
      ...page,
      /** With waitMs: also ends when what is observed has changed since this number. */
      observed: z.coerce.number().int().nonnegative().optional(),
    }),
    response: z.object({ events: z.array(b.eventView), next: z.int(), observed: z.int() }),
  },
  listLog: {
    method: 'GET',
    path: '/v1/clusters/:cluster/log',
    summary:
      'The cluster log with component names (S-97), by resource, group, node and time (S-98)',
    query: z.strictObject({
      ...page,
      component: z.string().max(8).optional(),
      /** Name or GUID; a GUID also of what has been deleted. */
      resource: z.string().max(LIMITS.nameLengthMax).optional(),
      group: z.string().max(LIMITS.nameLengthMax).optional(),
      /** Who wrote the line: a node, or `control`. */
      node: z.string().max(LIMITS.nameLengthMax).optional(),
      correlationId: z.string().max(64).optional(),
      /** Instants in milliseconds since the Unix epoch, both included. */
      sinceMs: z.coerce.number().int().nonnegative().optional(),
      untilMs: z.coerce.number().int().nonnegative().optional(),
    }),
    response: z.object({ entries: z.array(b.logView), next: z.int() }),
  },
  health: {
    method: 'GET',
    path: '/healthz',
    summary: 'Whether the control plane answers, and what it needs does',
    response: h.health,
  },
} as const satisfies Record<string, Route>

export type Routes = typeof routes
export type RouteName = keyof Routes

type ParamNames<P extends string> = P extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamNames<`/${Rest}`>
  : P extends `${string}:${infer Name}`
    ? Name
    : never
export type Params<N extends RouteName> = { [K in ParamNames<Routes[N]['path']>]: string }
export type Body<N extends RouteName> = Routes[N] extends { body: infer B extends z.ZodType }
  ? z.input<B>
  : undefined
export type Query<N extends RouteName> = Routes[N] extends { query: infer Q extends z.ZodType }
  ? z.input<Q>
  : undefined
export type Response<N extends RouteName> = z.output<Routes[N]['response']>
