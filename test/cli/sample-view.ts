import type { ClusterView, GroupView, NodeView, ResourceView } from '../../schema/api/bodies.ts'

/** 2026-11-23 12:03:11 UTC. */
export const NOW_MS = Date.UTC(2026, 10, 23, 12, 3, 11)

export const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

export const sampleNode = (n: number, change: Partial<NodeView> = {}): NodeView => ({
  id: id(n),
  name: `n${n}`,
  state: 'up',
  paused: false,
  draining: null,
  quarantinedUntilMs: null,
  connected: true,
  lastAnswerAgoMs: 120 * n,
  heardBy: [],
  position: n - 1,
  capacity: null,
  measured: null,
  faultDomain: null,
  epoch: 0,
  bootId: 'b0071d00-0001',
  groups: 0,
  types: [{ type: 'process', version: '1.0.0', sha256: 'a'.repeat(64) }],
  under: 'lease',
  fence: null,
  lost: null,
  lastFence: null,
  joinedAtMs: NOW_MS - 3_600_000,
  ...change,
})

export const sampleResource = (n: number, change: Partial<ResourceView> = {}): ResourceView => ({
  id: id(200 + n),
  name: `nginx${n}`,
  group: 'web',
  type: 'process',
  properties: { command: '/usr/sbin/nginx', args: ['-g', 'daemon off;'] },
  persistentState: 1,
  status: 'online',
  sinceMs: NOW_MS - 60_000,
  detail: null,
  degraded: false,
  restarts: 0,
  node: 'n1',
  dependsOn: [],
  needs: '',
  possibleOwners: null,
  restart: { attempts: 3, periodMs: 900_000, delayMs: 500, retryAfterMs: 3_600_000 },
  poll: { isAliveMs: 5_000, looksAliveMs: 60_000, pendingMs: 180_000, deadlockMs: 300_000 },
  separateMonitor: false,
  isolated: null,
  ...change,
})

export const sampleGroup = (n: number, change: Partial<GroupView> = {}): GroupView => ({
  id: id(100 + n),
  name: `group${n}`,
  state: 'online',
  phase: 'owned',
  owner: 'n1',
  movingTo: null,
  movingBy: null,
  epoch: 4,
  sinceMs: NOW_MS - 60_000,
  preferredOwners: [],
  stick: null,
  failback: { when: 'off' },
  priority: 0,
  needs: {},
  failoverThreshold: 2,
  failoverPeriodMs: 21_600_000,
  recentFailovers: 0,
  after: [],
  onlyWhile: [],
  waitsFor: [],
  maintenance: null,
  waitingReasons: [],
  resources: [],
  ...change,
})

export const sampleView = (change: Partial<ClusterView> = {}): ClusterView => ({
  id: id(900),
  name: 'prod',
  profile: 'standard',
  takeover: 'lease',
  placement: 'list',
  startsPerNode: 100,
  rules: [],
  seq: 41,
  hash: 'f'.repeat(64),
  view: 3,
  nowMs: NOW_MS,
  health: 'healthy',
  problems: [],
  maintenance: [],
  nodes: [sampleNode(1, { groups: 1 }), sampleNode(2), sampleNode(3)],
  groups: [
    sampleGroup(1, {
      name: 'web',
      resources: [
        sampleResource(1),
        sampleResource(2, { name: 'app', dependsOn: ['nginx1'], needs: 'nginx1', restarts: 1 }),
      ],
    }),
  ],
  ...change,
})

/** Everything that can be wrong at once. */
export const troubledView = (): ClusterView =>
  sampleView({
    health: 'outage',
    nodes: [
      sampleNode(1, { groups: 2 }),
      sampleNode(2, { paused: true }),
      sampleNode(3, { state: 'down', connected: false, lastAnswerAgoMs: null }),
      sampleNode(4, { connected: false, lastAnswerAgoMs: null }),
      sampleNode(5, { state: 'leaving' }),
    ],
    groups: [
      sampleGroup(1, {
        name: 'web',
        state: 'failed',
        resources: [
          sampleResource(1, { status: 'failed', detail: 'exit code 1\u001b[2J', restarts: 3 }),
          sampleResource(2, { status: 'onlinePending' }),
          sampleResource(3, { status: 'offline' }),
          sampleResource(4, { status: 'online', persistentState: 0 }),
          sampleResource(5, { status: 'unknown' }),
        ],
      }),
      sampleGroup(2, { name: 'db', state: 'pending', phase: 'releasing', movingTo: 'n2' }),
      sampleGroup(3, {
        name: 'batch',
        state: 'waiting',
        phase: 'free',
        owner: null,
        waitingReasons: [
          { node: 'n1', reason: 'is not a possible owner of "importer"' },
          { node: 'n2', reason: 'is paused' },
          { node: 'n3', reason: 'is down since 12:00:05Z, and its lease has surely ended by now' },
        ],
      }),
      sampleGroup(4, { name: 'idle', state: 'offline', phase: 'free', owner: null, sinceMs: null }),
      sampleGroup(5, { name: 'some', state: 'partialOnline' }),
    ],
    problems: [
      { subject: 'n3', message: 'node n3 is down', remedy: 'Start its host; it joins by itself.' },
      {
        subject: 'nginx1',
        message:
          'nginx1 failed on n1: exit code 1, and this sentence is long enough to need a second line',
        remedy: 'holdfast log --resource nginx1',
      },
    ],
  })
