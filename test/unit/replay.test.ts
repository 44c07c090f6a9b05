/** `holdfast replay`: failovers that another policy would have spared or made, decided by the core itself. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { ReplayPolicy } from '../../schema/api/replay.ts'
import type { Event } from '../../schema/event.ts'
import { fromDocument, toDocument } from '../../schema/hive.ts'
import { emptyObserved } from '../../schema/observed.ts'
import { type Entry, Replay } from '../../worker/core/replay.ts'
import { Cluster, GROUP, id, NODE, RESOURCE } from './instant-cluster.ts'

const WEB = id(GROUP, 0)
const NGINX = id(RESOURCE, 0)

let cluster: Cluster
let entries: Entry[]
let before: ReturnType<typeof toDocument>

beforeEach(() => {
  cluster = new Cluster([{}, {}, {}])
  cluster.ask({ type: 'createGroup', groupId: WEB, name: 'web', settings: {} })
  cluster.ask({
    ...{ type: 'createResource', resourceId: NGINX, groupId: WEB, name: 'nginx' },
    ...{ resourceType: 'process', persistentState: 1 },
    settings: { properties: { command: '/bin/true' } },
  })
  before = toDocument(cluster.state.hive)
  entries = []
  cluster.judge = (event, { updates }) => {
    entries.push({ atMs: cluster.nowMs, event, updates })
  }
})

const ownership = () => {
  const { owner, epoch } = cluster.state.hive.groups.get(WEB)?.ownership ?? {}
  return { nodeId: owner ?? '', epoch: epoch ?? 0 }
}

function reports(status: 'failed' | 'onlinePending' | 'online', restarts: number, gaveUp = false) {
  const { nodeId, epoch } = ownership()
  const session = cluster.state.hive.nodes.get(nodeId)?.session ?? 0
  const items = [{ resourceId: NGINX, epoch, status, restarts, gaveUp }]
  cluster.event({ type: 'resourceReported', nodeId, session, items } as Event)
}

function crash(restarts: number): void {
  reports('onlinePending', restarts)
  reports('online', restarts)
}

function replayed(policy: ReplayPolicy) {
  const replay = new Replay({ hive: fromDocument(before), observed: emptyObserved() }, policy)
  for (const entry of entries) replay.take(entry)
  return replay.result()
}

/** The last of 3 restarts did not help. */
function failsOver(): void {
  for (const n of [1, 2, 3]) crash(n)
  reports('failed', 3, true)
}

describe('attempts', () => {
  test('S-75: as many as there were: what happened, and nothing else', () => {
    failsOver()
    expect(ownership()).toMatchObject({ nodeId: id(NODE, 1) })
    expect(replayed({ attempts: 3 }).decisions).toMatchObject([
      { kind: 'failover', node: 'n0', groups: ['web'], happened: true, would: true },
    ])
  })

  test('more of them would have come before the failover', () => {
    failsOver()
    expect(replayed({ attempts: 5 }).decisions).toMatchObject([
      {
        ...{ happened: true, would: false, id: expect.stringMatching(/^u\d+$/) },
        why: 'nginx had been restarted 3 times and would have been tried 2 more times; nobody knows whether that had helped',
      },
    ])
  })

  test('fewer of them would have made a failover of a restart, once', () => {
    crash(1)
    crash(2)
    crash(3)
    expect(replayed({ attempts: 3 }).decisions).toEqual([])
    expect(replayed({ attempts: 1 }).decisions).toMatchObject([
      {
        ...{ happened: false, would: true, id: null, node: 'n0' },
        why: 'nginx was restarted for the 2. time; with attempts 1 it had given up before',
      },
    ])
  })

  test('where nobody could have taken it fewer would have made none', () => {
    cluster.ask({ type: 'pauseNode', nodeId: id(NODE, 1), paused: true })
    cluster.ask({ type: 'pauseNode', nodeId: id(NODE, 2), paused: true })
    crash(1)
    expect(replayed({ attempts: 0 }).decisions).toEqual([])
  })
})

describe('failover threshold', () => {
  test('S-75: a smaller one would have kept it where it failed, a greater one would not', () => {
    reports('failed', 0, true)
    reports('failed', 0, true)
    expect(ownership()).toMatchObject({ nodeId: id(NODE, 2) })
    // Two of two are used up: it stays.
    reports('failed', 0, true)
    expect(ownership()).toMatchObject({ nodeId: id(NODE, 2) })
    const would = (failoverThreshold: number) =>
      replayed({ failoverThreshold }).decisions.map((d) => [d.node, d.happened, d.would])
    expect(would(2)).toEqual([
      ['n0', true, true],
      ['n1', true, true],
    ])
    expect(would(1)).toEqual([
      ['n0', true, true],
      ['n1', true, false],
    ])
    expect(would(3)).toEqual([
      ['n0', true, true],
      ['n1', true, true],
      ['n2', false, true],
    ])
    expect(replayed({ failoverThreshold: 1 }).decisions[1]?.why).toContain('1 of 1 failovers')
  })
})

describe('profile', () => {
  function lose(awayMs: number): void {
    const lastAnswerMs = cluster.nowMs
    cluster.nowMs += 7_000
    cluster.event({
      ...{ type: 'nodeLost', nodeId: id(NODE, 0) },
      evidence: {
        ...{ path: 'pong', waitedMs: 7_000, lastAnswerMs, closedMs: lastAnswerMs },
        cause: 'silent',
      },
    })
    cluster.nowMs = lastAnswerMs + awayMs - 10
    cluster.report(0)
  }

  test('D3: a host that was back before the longer lease had ended would have kept its groups', () => {
    lose(12_000)
    expect(replayed({ profile: 'standard' }).decisions).toMatchObject([
      { kind: 'nodeLoss', node: 'n0', groups: ['web'], happened: true, would: true },
    ])
    const [decision] = replayed({ profile: 'wan' }).decisions
    expect(decision).toMatchObject({ happened: true, would: false })
    expect(decision?.why).toBe(
      'it was back 12000 ms after its last answer, and under wan its groups are taken over after 21405 ms',
    )
  })

  test('one that stayed away would have been lost under any', () => {
    lose(60_000)
    expect(replayed({ profile: 'wan' }).decisions).toMatchObject([{ would: true }])
  })

  test('what is not in the journal is said: sessions that came back in time', () => {
    cluster.report(1)
    expect(replayed({ profile: 'fast' }).unknown).toEqual([
      expect.stringContaining('1 session came back before a lease had ended'),
    ])
    expect(replayed({ profile: 'wan' }).unknown).toEqual([])
  })
})

test('S-95: another IsAlive changes when a failure is noticed, and what it cannot tell is said', () => {
  failsOver()
  const { decisions, unknown } = replayed({ isAliveMs: 2_000 })
  expect(decisions).toMatchObject([
    {
      ...{ happened: true, would: true },
      why: expect.stringContaining('at most 2000 ms after it began, in place of 5000 ms'),
    },
  ])
  expect(unknown[0]).toContain('1 failure would have been noticed')
})

test('the cluster itself is not changed by it', () => {
  failsOver()
  const now = toDocument(cluster.state.hive)
  replayed({ attempts: 9 })
  expect(toDocument(cluster.state.hive)).toEqual(now)
})
