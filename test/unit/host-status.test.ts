/** S-25: what `holdfast-probe status` shows of a host. */
import { expect, test } from 'vitest'
import { CallBook } from '../../probe/rhs/call-book.ts'
import { renderHostStatus } from '../../probe/status/render.ts'
import { monitorTables } from '../../schema/host-status.ts'
import type { ResourceModule } from '../../schema/resource-type.ts'
import { A, B, Bench, GROUP } from './rhs-bench.ts'

function tables() {
  const rhs = new Bench().online()
  const book = new CallBook()
  book.begin('process', 'online', 'nginx', [], 900)(950)
  book.begin('process', 'isAlive', '1 resources', [], 1_000)(1_002, 'isAlive threw: no such file')
  book.begin('process', 'offline', 'nginx', [], 4_000)
  book.checked(GROUP, 'isAlive', 1_000, 2)
  const module = { type: 'process', version: '1.0.0', host: 'rhs' } as ResourceModule
  return book.tables(new Map([['process', module]]), rhs.state, 6_000)
}

test('the tables of a monitor: calls, last error, open calls with their age, groups and members', () => {
  const found = tables()
  expect(monitorTables.parse(found)).toEqual(found)
  expect(found.modules[0]).toMatchObject({
    calls: 3,
    states: { online: 1 },
    lastCall: { fn: 'isAlive', tookMs: 2 },
    lastError: { fn: 'isAlive', error: 'isAlive threw: no such file' },
    open: [{ fn: 'offline', name: 'nginx', atMs: 4_000 }],
  })
  expect(found.groups).toMatchObject([
    {
      groupId: GROUP,
      epoch: 1,
      isAlive: { atMs: 1_000, tookMs: 2 },
      looksAlive: null,
      members: [{ name: 'nginx', persistentState: 1, status: 'online', restarts: 0 }],
    },
  ])
})

test('S-29: a monitor of one resource alone is shown by the name of that', () => {
  const one = { generation: 1, uptimeMs: 1_000, pid: 9 }
  const text = renderHostStatus({
    node: { id: 'a-guid', name: 'n1' },
    nowMs: 10_000,
    killHandles: 'cgroup',
    guard: {
      ...{ pid: 7, boot: 'boot-1', timing: { stopMs: 500 }, session: null },
      leases: { pongEndMs: null, authorityEndMs: null },
      ...{ grants: [], records: [], stops: [] },
    },
    agent: { pid: 8, info: null },
    monitors: [
      { ...one, monitor: `rhs:${A}`, tables: tables() },
      { ...one, monitor: `rhs-exec:${B}`, tables: 'no answer' },
    ],
  })
  expect(text).toMatch(/^rhs:nginx +9 /m)
  expect(text).toMatch(/^process .* rhs:nginx /m)
  // Of which nothing is known, it keeps its GUID.
  expect(text).toContain(`rhs-exec:${B}`)
})

test('for people: leases with the time left, monitors, modules, groups; who is silent is named', () => {
  const text = renderHostStatus({
    node: { id: 'a-guid', name: 'n1' },
    nowMs: 10_000,
    killHandles: 'cgroup',
    guard: {
      pid: 7,
      boot: 'boot-1',
      timing: { stopMs: 500 },
      leases: { pongEndMs: 11_500, authorityEndMs: 9_000 },
      grants: [{ groupId: GROUP, epoch: 1 }],
      records: [{}],
      stops: [],
      session: { number: 3, welcomed: true },
    },
    agent: {
      pid: 8,
      info: {
        ...{ cluster: 'prod', connected: true, replica: { seq: 41, hash: 'abcdef' } },
        peers: {
          listens: { address: '10.0.0.1', port: 7_400 },
          problem: '',
          peers: [
            { name: 'n2', state: 'heard' },
            { name: 'n3', state: 'silent' },
            { name: 'n4', state: 'heard' },
          ],
        },
        stoodStill: { count: 2, last: { who: 'agent', ms: 4_200, untilMs: 5_000 } },
      },
    },
    monitors: [
      { monitor: 'rhs', pid: 9, generation: 2, uptimeMs: 61_000, tables: tables() },
      { monitor: 'rhs-exec', pid: 10, generation: 1, uptimeMs: 5_000, tables: 'no answer' },
    ],
  })
  expect(text).toBe(`node             n1  a-guid
cluster          prod
session          connected, session 3
replica          update 41, abcdef
pong lease       1.0 s until everything is stopped
authority lease  over
guard            pid 7, boot boot-1, ends workloads by cgroup
holds            1 groups, 1 workloads, 0 stops under way
agent            pid 8
peers            heard on 10.0.0.1:7400; hears n2, n4; silent n3
stood still      2 times, last the agent for 4.2 s, 5.0 s ago

MONITOR   PID  GENERATION  UP     MODULES    RESOURCES
rhs       9    2           1 min  1          1
rhs-exec  10   1           5.0 s  no answer  –

MODULE   VERSION  IN   RESOURCES  CALLS  OPEN  LAST CALL                                    LAST ERROR
process  1.0.0    rhs  1 online   3      1     isAlive 1 resources, 5.0 s ago, took 2.0 ms  isAlive 1 resources, 5.0 s ago: isAlive threw: no such file

OPEN CALL OF  IN   FUNCTION  FOR    SINCE
process       rhs  offline   nginx  2.0 s

GROUP                                 EPOCH  IN   MEMBERS  ISALIVE                 LOOKSALIVE
${GROUP}  1      rhs  1        5.0 s ago, took 2.0 ms  –

RESOURCE  TYPE     GROUP     WANTED  STATUS  RESTARTS  DETAIL
nginx     process  00000000  online  online  0         –
`)
})
