/**
 * What takes its time: each is accepted (202) with the id of its operation, and goes on whether or not
 * anybody watches. `operation` is null where there was nothing to do.
 */
import * as z from 'zod'
import * as b from './bodies.ts'
import * as o from './operations.ts'
import { drainNode } from './placement.ts'
import type { Route } from './route.ts'

const accepted = { method: 'POST', access: 'operate', status: 202, response: o.begun } as const

export const operationRoutes = {
  drainNode: {
    ...accepted,
    path: '/v1/clusters/:cluster/nodes/:node/drain',
    summary: 'Its groups go elsewhere, each by the best way; nothing new comes there (S-18)',
    body: drainNode,
  },
  failbackGroup: {
    ...accepted,
    path: '/v1/clusters/:cluster/groups/:group/failback',
    summary: 'Back to the node that it prefers, now (S-91)',
  },
  failoverGroup: {
    ...accepted,
    path: '/v1/clusters/:cluster/groups/:group/failover',
    summary: 'As if it had failed where it is; counts against its threshold (S-91)',
  },
  moveGroup: {
    ...accepted,
    path: '/v1/clusters/:cluster/groups/:group/move',
    summary: 'Planned, graceful move; leaves no rule behind unless `stick` says so (S-91)',
    body: b.moveGroup,
  },
  onlineGroup: {
    ...accepted,
    path: '/v1/clusters/:cluster/groups/:group/online',
    summary: 'PersistentState 1 for all its resources',
  },
  offlineGroup: {
    ...accepted,
    path: '/v1/clusters/:cluster/groups/:group/offline',
    summary: 'PersistentState 0 for all its resources',
  },
  onlineResource: {
    ...accepted,
    path: '/v1/clusters/:cluster/resources/:resource/online',
    summary: 'PersistentState 1',
  },
  offlineResource: {
    ...accepted,
    path: '/v1/clusters/:cluster/resources/:resource/offline',
    summary: 'PersistentState 0',
  },
  listOperations: {
    method: 'GET',
    path: '/v1/clusters/:cluster/operations',
    access: 'read',
    summary: 'What operators asked for and what takes its time, newest first',
    query: o.operationsQuery,
    response: z.object({ operations: z.array(o.operationSummary) }),
  },
  getOperation: {
    method: 'GET',
    path: '/v1/clusters/:cluster/operations/:operation',
    access: 'read',
    summary: 'One operation: steps with elapsed time and limit, groups with their outage',
    response: o.operationView,
  },
  cancelOperation: {
    ...accepted,
    path: '/v1/clusters/:cluster/operations/:operation/cancel',
    summary: 'Takes back what has not been done yet, where that is possible',
    body: o.cancelOperation,
  },
} as const satisfies Record<string, Route>
