/** The part of the HTTP API that is about work on the cluster: what would happen, and what is left alone. */
import * as z from 'zod'
import * as b from './bodies.ts'
import { clusterHealth } from './health.ts'
import * as upkeep from './maintenance.ts'
import type { Route } from './route.ts'
import * as s from './simulate.ts'

export const upkeepRoutes = {
  simulate: {
    method: 'POST',
    path: '/v1/clusters/:cluster/simulate',
    access: 'read',
    summary:
      'What would happen if nodes were lost or drained, or a group failed or was moved; nothing does',
    body: s.simulate,
    response: s.simulation,
  },
  clusterHealth: {
    method: 'GET',
    path: '/v1/clusters/:cluster/health',
    access: 'read',
    summary: 'Whether the managers of the cluster do their work (S-14)',
    response: clusterHealth,
  },
  survivability: {
    method: 'GET',
    path: '/v1/clusters/:cluster/survivability',
    access: 'read',
    summary: 'For each node, or two: who would land where if lost, and what could not start',
    query: s.survivabilityQuery,
    response: s.survivabilityView,
  },
  listMaintenance: {
    method: 'GET',
    path: '/v1/clusters/:cluster/maintenance',
    access: 'read',
    summary: 'What is observed only, whose wish that is, and until when',
    response: z.object({ maintenance: z.array(upkeep.maintenanceView) }),
  },
  startMaintenance: {
    method: 'POST',
    path: '/v1/clusters/:cluster/maintenance',
    access: 'operate',
    summary: 'Nothing is done about the health of something, until a time',
    body: upkeep.startMaintenance,
    response: b.done,
  },
  endMaintenance: {
    method: 'POST',
    path: '/v1/clusters/:cluster/maintenance/end',
    access: 'operate',
    summary: 'It is looked after again',
    body: upkeep.maintenanceSubject,
    response: b.done,
  },
} as const satisfies Record<string, Route>
