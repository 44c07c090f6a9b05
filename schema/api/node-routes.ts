/** The part of the HTTP API that is about nodes and how they are fenced. */
import * as z from 'zod'
import * as b from './bodies.ts'
import * as f from './fencing.ts'
import * as p from './placement.ts'
import type { Route } from './route.ts'
import { whyQuery, whyView } from './why.ts'

export const nodeRoutes = {
  listNodes: {
    method: 'GET',
    path: '/v1/clusters/:cluster/nodes',
    access: 'read',
    summary: 'The ordered node list; available=true: only nodes that may take groups (S-02)',
    query: z.strictObject({ available: z.enum(['true', 'false']).optional() }),
    response: z.object({ nodes: z.array(b.nodeView) }),
  },
  getNode: {
    method: 'GET',
    path: '/v1/clusters/:cluster/nodes/:node',
    access: 'read',
    summary: 'One node',
    response: b.nodeView,
  },
  whyNode: {
    method: 'GET',
    path: '/v1/clusters/:cluster/nodes/:node/why',
    access: 'read',
    summary: 'Why it is as it is: verdict, evidence, every node with its reason, what to do',
    query: whyQuery,
    response: whyView,
  },
  changeNode: {
    method: 'PATCH',
    path: '/v1/clusters/:cluster/nodes/:node',
    access: 'admin',
    summary: 'What the node has, and what it fails together with',
    body: p.changeNode,
    response: b.done,
  },
  pauseNode: {
    method: 'POST',
    path: '/v1/clusters/:cluster/nodes/:node/pause',
    access: 'operate',
    summary: 'No new placements there; what runs goes on',
    response: b.done,
  },
  resumeNode: {
    method: 'POST',
    path: '/v1/clusters/:cluster/nodes/:node/resume',
    access: 'operate',
    summary: 'Ends a pause, a drain or a quarantine',
    body: p.resumeNode,
    response: b.done,
  },
  evictNode: {
    method: 'DELETE',
    path: '/v1/clusters/:cluster/nodes/:node',
    access: 'admin',
    summary: 'Removes a node; one that owns groups only with lost=true, when its host is gone',
    query: z.strictObject({ lost: z.enum(['true', 'false']).optional() }),
    response: b.done,
  },
  setFence: {
    method: 'POST',
    path: '/v1/clusters/:cluster/nodes/:node/fence',
    access: 'admin',
    summary: 'Sets how the node is fenced',
    body: f.setFence,
    response: b.done,
  },
  removeFence: {
    method: 'DELETE',
    path: '/v1/clusters/:cluster/nodes/:node/fence',
    access: 'admin',
    summary: 'The node is no longer fenced by an agent',
    response: b.done,
  },
  confirmFence: {
    method: 'POST',
    path: '/v1/clusters/:cluster/nodes/:node/fence/confirm',
    access: 'operate',
    summary: 'An operator states that this boot of the node is over (F5)',
    body: f.confirmFence,
    response: b.done,
  },
  testFence: {
    method: 'POST',
    noDryRun: 'It has hosts ask a fence agent.',
    path: '/v1/clusters/:cluster/nodes/:node/fence/test',
    access: 'operate',
    summary: 'What the fence agent of the node says, run by its helpers; switches nothing',
    body: f.testFence,
    response: f.fenceTested,
  },
} as const satisfies Record<string, Route>
