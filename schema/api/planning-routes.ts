/** What an operator plans by: the configuration as one document, and how changes of owner went. */
import * as z from 'zod'
import { LIMITS } from '../limits.ts'
import * as c from './config.ts'
import { replay, replayView } from './replay.ts'
import type { Route } from './route.ts'
import { timelineQuery, timelineView } from './timeline.ts'

export const planningRoutes = {
  getConfig: {
    method: 'GET',
    versioned: true,
    path: '/v1/clusters/:cluster/config',
    access: 'read',
    summary:
      'The configuration as one document, without defaults; applied again it changes nothing',
    response: c.configView,
  },
  planConfig: {
    method: 'POST',
    path: '/v1/clusters/:cluster/config/plan',
    access: 'read',
    summary: 'What a configuration would change, and what would start, stop and move; nothing does',
    body: c.planConfig,
    bytesMax: LIMITS.configBytesMax,
    response: c.planView,
  },
  applyConfig: {
    method: 'POST',
    path: '/v1/clusters/:cluster/config/apply',
    access: 'admin',
    summary:
      'Makes the configuration so, all of it or nothing; refused when `base` is no longer true',
    body: c.applyConfig,
    bytesMax: LIMITS.configBytesMax,
    response: c.applied,
  },
  listTimelines: {
    method: 'GET',
    path: '/v1/clusters/:cluster/timelines',
    access: 'read',
    summary:
      'Changes of owner, newest first: detected, decided, stopped, placed, started, with their times',
    query: timelineQuery,
    response: z.object({ timelines: z.array(timelineView) }),
  },
  replay: {
    method: 'POST',
    path: '/v1/clusters/:cluster/replay',
    access: 'read',
    summary:
      'The journal under another policy: failovers that would not have happened, or would have; nothing is changed',
    body: replay,
    response: replayView,
  },
} as const satisfies Record<string, Route>
