/** A body of each route that takes one: shown in the OpenAPI document and the docs, typed by the route. */
import type { Body, RouteName, Routes } from './routes.ts'

type WithBody = { [N in RouteName]: Routes[N] extends { body: unknown } ? N : never }[RouteName]

export const EXAMPLES: { readonly [N in WithBody]: Body<N> } = {
  createCluster: { name: 'prod', profile: 'standard' },
  changeCluster: { placement: 'least-active' },
  createToken: { uses: 3, ttlMs: 3_600_000 },
  join: {
    token: 'hfj_0123456789abcdef',
    name: 'n1',
    publicKey: 'A7fF0dVbq1Vw2mVtVq8m7C0r4b1mJ0Yy0H1l1q2a3b4',
  },
  createKey: { name: 'ci', scopes: [{ role: 'operate', cluster: 'prod' }, { role: 'read' }] },
  rotateKey: { overlapMs: 3_600_000 },
  createWebhook: {
    name: 'pager',
    url: 'https://example.com/holdfast',
    types: ['group.failover.completed'],
  },
  changeWebhook: { enabled: true },
  rotateWebhook: { overlapMs: 3_600_000 },
  replayWebhook: { sinceMs: 1_793_000_000_000 },
  changeNode: { capacity: { mem: 64, cpu: 16 }, faultDomain: 'rack-1' },
  resumeNode: { failback: 'policy' },
  setFence: { agent: 'fence_ipmilan', options: { ip: '10.0.0.11', plug: 'n1' }, secrets: 'ipmi' },
  confirmFence: { boot: '0b1a6f6e-6f0c-4c53-9f0a-3d1f5a9f6a10' },
  testFence: { helper: 'n2' },
  simulate: { what: 'nodeDown', nodes: ['n1'] },
  startMaintenance: { scope: 'node', name: 'n1', reason: 'kernel update', forMs: 7_200_000 },
  endMaintenance: { scope: 'node', name: 'n1' },
  planConfig: { config: { groups: { web: { failoverThreshold: 3 } } } },
  applyConfig: { config: { groups: { web: { failoverThreshold: 3 } } } },
  replay: { sinceMs: 1_793_000_000_000, policy: { attempts: 5 } },
  moveGroup: { to: 'n2' },
  cancelOperation: { failback: 'now' },
  createRule: { name: 'apart', kind: 'keepApart', groups: ['db1', 'db2'], hard: true },
  createGroup: { name: 'web', preferredOwners: ['n1'], failoverThreshold: 3 },
  changeGroup: { priority: 10 },
  createResource: {
    name: 'web-server',
    group: 'web',
    type: 'process',
    properties: { command: '/usr/sbin/nginx -g "daemon off;"' },
  },
  changeResource: { restart: { attempts: 5 } },
  controlResource: { code: 'reload' },
  changeSettings: { change: { memoryMib: 4_096 }, dryRun: true },
}
