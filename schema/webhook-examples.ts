/**
 * An example of each type of event, for docs/webhook-events.md. They tell one story: host n1 of cluster prod is lost,
 * then it is worked on, then it leaves.
 */
import type { WebhookData, WebhookEvent, WebhookEventType } from './webhook-events.ts'

const CLUSTER = { id: '0b9c7a52-6e1d-4f0e-9d1f-3a54c1a7f0e2', name: 'prod' }
const N1 = { id: '5d2f1f0a-8f0c-4a7e-8a53-6f0d1c9e4b11', name: 'n1' }
const N4 = { id: '9e7b3c44-1a2d-4c5e-b6f7-0d8a9b1c2e34', name: 'n4' }
const LEDGER = { id: 'c1f3a7de-52b4-4d36-9b0a-7e8c2d4f6a55', name: 'ledger' }
const POSTGRES = { id: '3f8e6d21-7c4b-4e9a-8d15-2b6a9c0f7e88', name: 'postgres' }
const PAGER = { id: 'e2b7c9d0-3a41-4f5b-8c6d-9e0f1a2b3c4d', name: 'pager' }
const BOOT = '7a1d0c52-94e3-4b7f-a1c8-5e6f0b3d2a97'

const REQUEST = `${BOOT.slice(0, 13)}.1796038278604.1`

const ms = (instant: string): number => Date.parse(instant)

/** With what every event of the cluster has. */
const event = <T extends WebhookEventType>(
  type: T,
  sequence: number,
  timestamp: string,
  data: WebhookData<T>,
): WebhookEvent => ({ type, timestamp, cluster: CLUSTER, sequence, data })

export const WEBHOOK_EXAMPLES: Readonly<Record<WebhookEventType, WebhookEvent>> = {
  'resource.failed': event('resource.failed', 113, '2026-11-29T18:02:07.310Z', {
    resource: POSTGRES,
    group: LEDGER,
    node: 'n1',
    status: 'failed',
    detail: 'its process ended (exit code 1)',
    restarts: 0,
  }),
  'node.down': event('node.down', 118, '2026-11-29T19:26:57.424Z', {
    node: N1,
    reason: 'leaseEnded',
    message:
      'node n1: down (its lease has surely ended, waitedMs 6623, neededMs 6622, lastAnswerMs 1795980410798, closedMs 1795980416801, cause silent, rule D3)',
    evidence: {
      waitedMs: 6623,
      neededMs: 6622,
      lastAnswerMs: ms('2026-11-29T19:26:50.798Z'),
      closedMs: ms('2026-11-29T19:26:56.801Z'),
      cause: 'silent',
    },
  }),
  'group.failover.started': event('group.failover.started', 119, '2026-11-29T19:26:57.424Z', {
    group: LEDGER,
    from: 'n1',
    reason: 'nodeLost',
    message: 'group ledger: free at epoch 4, was on n1 (its node is down, node n1, rule D4)',
    evidence: { node: 'n1' },
    cause: 'u20',
  }),
  'group.failover.completed': event('group.failover.completed', 120, '2026-11-29T19:26:57.550Z', {
    group: LEDGER,
    from: 'n1',
    to: 'n2',
    epoch: 5,
    reason: 'nodeLost',
    verdict: 'left n1 for n2, because its node is down: its lease has surely ended',
    cause: 'u20',
    outage: { ms: 6752, is: 'atMost' },
    phases: [
      {
        phase: 'detect',
        fromMs: ms('2026-11-29T19:26:50.798Z'),
        ms: 6003,
        what: 'from its last answer until its session was over',
      },
      {
        phase: 'wait',
        fromMs: ms('2026-11-29T19:26:56.801Z'),
        ms: 623,
        what: 'its lease has surely ended',
      },
      {
        phase: 'place',
        fromMs: ms('2026-11-29T19:26:57.424Z'),
        ms: 36,
        what: 'offered, and accepted',
      },
      {
        phase: 'start',
        fromMs: ms('2026-11-29T19:26:57.460Z'),
        ms: 90,
        what: 'started on n2, in order',
      },
    ],
  }),
  'node.up': event('node.up', 121, '2026-11-29T19:41:12.006Z', {
    node: N1,
    reason: 'nodeUp',
    message: `node n1: up (its report was accepted, session 31, boot ${BOOT}, rule S2)`,
    evidence: { session: 31, boot: BOOT },
  }),
  'group.move.started': event('group.move.started', 122, '2026-11-29T20:05:00.118Z', {
    group: LEDGER,
    from: 'n2',
    reason: 'operatorMove',
    message: 'group ledger: leaves n2 for n1 (moved by an operator, by ci, to n1, rule S-91)',
    evidence: { by: 'ci', to: 'n1' },
    cause: 'u31',
  }),
  'group.move.completed': event('group.move.completed', 123, '2026-11-29T20:05:00.247Z', {
    group: LEDGER,
    from: 'n2',
    to: 'n1',
    epoch: 6,
    reason: 'operatorMove',
    verdict: 'left n2 for n1, because moved by an operator',
    cause: 'u31',
    outage: { ms: 103, is: 'measured' },
    phases: [
      {
        phase: 'stop',
        fromMs: ms('2026-11-29T20:05:00.118Z'),
        ms: 22,
        what: 'stopped on n2, in order',
      },
      {
        phase: 'place',
        fromMs: ms('2026-11-29T20:05:00.140Z'),
        ms: 17,
        what: 'offered, and accepted',
      },
      {
        phase: 'start',
        fromMs: ms('2026-11-29T20:05:00.157Z'),
        ms: 90,
        what: 'started on n1, in order',
      },
    ],
  }),
  'node.joined': event('node.joined', 140, '2026-11-30T08:14:31.552Z', {
    node: N4,
    reason: 'nodeJoined',
    message: 'node n4: down (a host joined, by join token)',
    evidence: { by: 'join token' },
  }),
  'node.paused': event('node.paused', 152, '2026-11-30T09:00:03.871Z', {
    node: N1,
    reason: 'nodePaused',
    message: 'node n1: up, paused (paused by an operator, by ci)',
    evidence: { by: 'ci' },
  }),
  'group.waiting': event('group.waiting', 153, '2026-11-30T09:00:04.020Z', {
    group: LEDGER,
    reasons: [
      { node: 'n1', reason: 'paused' },
      { node: 'n2', reason: 'down' },
    ],
  }),
  'node.resumed': event('node.resumed', 154, '2026-11-30T09:20:44.190Z', {
    node: N1,
    reason: 'nodeResumed',
    message: 'node n1: up (resumed by an operator, by ci)',
    evidence: { by: 'ci' },
  }),
  'fence.failed': event('fence.failed', 171, '2026-11-30T11:32:18.604Z', {
    node: N1,
    reason: 'fenceFailed',
    message: `node n1: up (a fence of it failed, so nothing is taken from it, helper n2, boot ${BOOT}, request ${REQUEST}, detail no answer within 60000 ms, rule F1)`,
    evidence: { helper: 'n2', boot: BOOT, request: REQUEST, detail: 'no answer within 60000 ms' },
  }),
  'node.removed': event('node.removed', 190, '2026-12-01T07:45:09.333Z', {
    node: N1,
    reason: 'nodeEvicted',
    message: 'node n1: removed (evicted by an operator, by ci)',
    evidence: { by: 'ci' },
  }),
  'group.flapping': event('group.flapping', 160, '2026-11-30T10:12:09.400Z', {
    group: LEDGER,
    troubles: 3,
    windowMs: 1_800_000,
    sinceMs: ms('2026-11-30T10:12:09.400Z'),
  }),
  'group.recovered': event('group.recovered', 161, '2026-11-30T10:27:31.020Z', {
    group: LEDGER,
    is: 'online',
    sinceMs: ms('2026-11-30T10:12:09.400Z'),
    wellSinceMs: ms('2026-11-30T10:12:31.020Z'),
    flapping: true,
  }),
  'webhook.failing': event('webhook.failing', 172, '2026-11-30T12:00:00.500Z', {
    webhook: PAGER,
    failingSinceMs: ms('2026-11-28T00:00:00.000Z'),
    offAtMs: ms('2026-12-03T00:00:00.000Z'),
    detail: 'answered 503',
  }),
  'webhook.disabled': event('webhook.disabled', 191, '2026-12-03T00:00:04.120Z', {
    webhook: PAGER,
    why: 'nothing has got through since 2026-11-28T00:00:00.000Z; the last time: answered 503',
  }),
  'webhook.test': {
    ...event('webhook.test', 0, '2026-12-01T08:00:00.000Z', {
      message: 'Sent by ci. Nothing has happened.',
    }),
    cluster: null,
  },
}
