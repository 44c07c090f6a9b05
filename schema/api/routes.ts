/**
 * The HTTP API as data: one table that the Worker serves and the client is made from. `:cluster`,
 * `:node`, `:group` and `:resource` take a name or a GUID.
 */
import * as z from 'zod'
import { LIMITS } from '../limits.ts'
import { auditRoutes } from './audit-routes.ts'
import { authRoutes } from './auth-routes.ts'
import { backupRoutes } from './backup-routes.ts'
import * as b from './bodies.ts'
import { clusterEndRoutes } from './cluster-end.ts'
import { groupRoutes } from './group-routes.ts'
import * as h from './health.ts'
import { keyRoutes } from './key-routes.ts'
import { memberRoutes } from './member-routes.ts'
import { metricRoutes } from './metric-routes.ts'
import { nodeRoutes } from './node-routes.ts'
import { operationRoutes } from './operation-routes.ts'
import { organisationRoutes } from './organisation-routes.ts'
import { planningRoutes } from './planning-routes.ts'
import { resourceRoutes } from './resource-routes.ts'
import type { Route } from './route.ts'
import { statusPageRoutes } from './status-page-routes.ts'
import * as t from './types.ts'
import { upkeepRoutes } from './upkeep-routes.ts'
import { webhookRoutes } from './webhook-routes.ts'

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
    access: 'anyKey',
    summary: 'Clusters of this account',
    response: z.object({ clusters: z.array(b.clusterSummary) }),
  },
  createCluster: {
    method: 'POST',
    path: '/v1/clusters',
    access: 'admin',
    summary: 'Form a cluster',
    body: b.createCluster,
    response: b.clusterSummary,
  },
  getCluster: {
    method: 'GET',
    versioned: true,
    path: '/v1/clusters/:cluster',
    access: 'read',
    summary: 'Everything on one screen: nodes, groups, resources, problems',
    response: b.clusterView,
  },
  changeCluster: {
    method: 'PATCH',
    path: '/v1/clusters/:cluster',
    access: 'admin',
    summary: 'Changes the takeover policy or the placement policy',
    body: b.changeCluster,
    response: b.done,
  },
  getHive: {
    method: 'GET',
    versioned: true,
    path: '/v1/clusters/:cluster/hive',
    access: 'read',
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
    access: 'admin',
    summary: 'Make a join token',
    ofAccounts: true,
    body: b.createToken,
    response: b.tokenCreated,
  },
  join: {
    method: 'POST',
    path: '/v1/join',
    access: 'joinToken',
    summary: 'Swap a join token for membership of this host’s key',
    body: b.join,
    response: b.joined,
  },
  listTypes: {
    method: 'GET',
    path: '/v1/clusters/:cluster/types',
    access: 'read',
    summary: 'Resource types and the nodes that can host them',
    response: z.object({ types: z.array(t.typeView) }),
  },
  ...authRoutes,
  ...memberRoutes,
  ...organisationRoutes,
  ...keyRoutes,
  ...auditRoutes,
  ...statusPageRoutes,
  ...backupRoutes,
  ...clusterEndRoutes,
  ...webhookRoutes,
  ...nodeRoutes,
  ...upkeepRoutes,
  ...metricRoutes,
  ...planningRoutes,
  ...operationRoutes,
  ...groupRoutes,
  ...resourceRoutes,
  listEvents: {
    method: 'GET',
    path: '/v1/clusters/:cluster/events',
    access: 'read',
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
    access: 'read',
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
    access: 'anyone',
    summary: 'Whether the control plane answers, and what it needs does',
    response: h.health,
  },
  openapi: {
    method: 'GET',
    path: '/v1/openapi.json',
    access: 'anyone',
    summary: 'The API as an OpenAPI 3.1 document: what is served at /docs to read',
    produces: 'application/json',
    response: z.string(),
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
