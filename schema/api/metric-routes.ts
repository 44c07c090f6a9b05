/** The part of the HTTP API that monitoring reads: metrics as OpenMetrics text. */
import * as z from 'zod'
import { LIMITS } from '../limits.ts'
import { OPEN_METRICS_TYPE } from '../open-metrics.ts'
import type { Route } from './route.ts'
import { usage, usageQuery } from './usage.ts'

export const metricRoutes = {
  clusterMetrics: {
    method: 'GET',
    path: '/v1/clusters/:cluster/metrics',
    access: 'read',
    summary: 'Metrics of the cluster as OpenMetrics text',
    produces: OPEN_METRICS_TYPE,
    response: z.string(),
  },
  getUsage: {
    method: 'GET',
    path: '/v1/usage',
    access: 'read',
    summary:
      'What the organisation has of clusters, nodes, groups, resources and storage, and what it may have',
    query: usageQuery,
    response: usage,
  },
  metrics: {
    method: 'GET',
    path: '/v1/metrics',
    access: 'read',
    summary: 'Metrics of the organisation and, in short, of its clusters, as OpenMetrics text',
    query: z.strictObject({
      /** Clusters behind this name; of those before it nothing is asked. */
      after: z.string().max(LIMITS.nameLengthMax).optional(),
    }),
    produces: OPEN_METRICS_TYPE,
    response: z.string(),
  },
} as const satisfies Record<string, Route>
