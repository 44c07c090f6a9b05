/** What a host says of itself, as metrics: heartbeat, leases, monitors, checks and restarts. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseListen } from '../../probe/commands/metrics.ts'
import { CallBook } from '../../probe/rhs/call-book.ts'
import { hostMetrics } from '../../probe/status/metrics.ts'
import { openMetricsText } from '../../schema/open-metrics.ts'
import type { ResourceModule } from '../../schema/resource-type.ts'
import { oneValue, parseOpenMetrics, samplesOf } from '../open-metrics.ts'
import { Bench, GROUP } from './rhs-bench.ts'

function answer(peer = 'n2') {
  const book = new CallBook()
  book.begin('process', 'offline', 'nginx', [], 4_000)
  book.checked(GROUP, 'isAlive', 1_000, 2)
  const module = { type: 'process', version: '1.0.0', host: 'rhs' } as ResourceModule
  const tables = book.tables(new Map([['process', module]]), new Bench().online().state, 6_000)
  return {
    node: { id: 'a', name: 'n1' },
    nowMs: 10_000,
    killHandles: 'cgroup',
    guard: {
      ...{ pid: 1, boot: 'b', timing: { stopMs: 2_000 } },
      leases: { pongEndMs: 15_500, authorityEndMs: null },
      ...{ grants: [{ groupId: GROUP, epoch: 1 }], records: [{}, {}], stops: [], session: null },
    },
    agent: {
      pid: 2,
      info: {
        ...{ connected: true, replica: { seq: 41, hash: 'h' } },
        clock: { offsetMs: -20, errorMs: 1, driftPpm: null },
        peers: {
          ...{ listens: null, problem: '' },
          peers: [
            { name: peer, state: 'heard' },
            { name: 'n3', state: 'silent' },
          ],
        },
        stoodStill: { count: 3, last: null },
      },
    },
    monitors: [
      { monitor: 'rhs', pid: 3, generation: 2, uptimeMs: 5_000, tables },
      { monitor: 'rhs-exec', pid: null, generation: 1, uptimeMs: 0, tables: 'no answer' },
    ],
  }
}

test('S-10: heartbeat and leases, monitors, checks, restarts', () => {
  const read = parseOpenMetrics(openMetricsText(hostMetrics(answer())))
  expect(oneValue(read, 'holdfast_probe_up')).toBe(1)
  expect(oneValue(read, 'holdfast_probe_lease_remaining_seconds', { lease: 'pong' })).toBe(3.5)
  expect(oneValue(read, 'holdfast_probe_lease_remaining_seconds', { lease: 'authority' })).toBe(0)
  expect(oneValue(read, 'holdfast_probe_workloads')).toBe(2)
  expect(oneValue(read, 'holdfast_probe_replica_seq')).toBe(41)
  expect(oneValue(read, 'holdfast_probe_host_clock_offset_seconds')).toBe(-0.02)
  expect(oneValue(read, 'holdfast_probe_peer_heard', { peer: 'n3' })).toBe(0)
  expect(oneValue(read, 'holdfast_probe_standstills_total')).toBe(3)
  expect(oneValue(read, 'holdfast_probe_monitor_up', { monitor: 'rhs-exec' })).toBe(0)
  expect(oneValue(read, 'holdfast_probe_monitor_starts_total', { monitor: 'rhs' })).toBe(2)
  expect(oneValue(read, 'holdfast_probe_module_calls_open', { type: 'process' })).toBe(1)
  const isAlive = { group: GROUP, check: 'isAlive' }
  expect(oneValue(read, 'holdfast_probe_check_duration_seconds', isAlive)).toBe(0.002)
  expect(oneValue(read, 'holdfast_probe_check_age_seconds', isAlive)).toBe(5)
  expect(oneValue(read, 'holdfast_probe_resource_online', { resource: 'nginx' })).toBe(1)
  expect(oneValue(read, 'holdfast_probe_resource_recent_restarts')).toBe(0)
})

test('no guard, and an agent that says nothing yet', () => {
  const none = parseOpenMetrics(openMetricsText(hostMetrics(null)))
  expect([...none.keys()]).toEqual(['holdfast_probe_up'])
  expect(oneValue(none, 'holdfast_probe_up')).toBe(0)
  const quiet = { ...answer(), agent: { pid: null, info: null }, monitors: [] }
  const read = parseOpenMetrics(openMetricsText(hostMetrics(quiet)))
  expect(oneValue(read, 'holdfast_probe_agent_up')).toBe(0)
  expect(oneValue(read, 'holdfast_probe_connected')).toBe(0)
})

test('a hostile name is a value and nothing else', () => {
  const name = 'n"} 1\n# EOF\n'
  const read = parseOpenMetrics(openMetricsText(hostMetrics(answer(name))))
  expect(samplesOf(read, 'holdfast_probe_peer_heard', { peer: name })).toHaveLength(1)
})

test('docs/metrics.md has every metric of a host with its type, and no other', () => {
  const docs = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
  const rows = [...docs.matchAll(/^\| `(holdfast_probe_[a-z_]+)` \| (\w+) \|/gm)]
  const written = rows.map(([, name, type]) => `${name} ${type}`)
  const there = hostMetrics(answer()).map(
    ({ name, type }) => `${name}${type === 'counter' ? '_total' : ''} ${type}`,
  )
  expect(written.filter((one) => one !== 'holdfast_probe_info info').sort()).toEqual(there.sort())
})

test.each([
  ['127.0.0.1:9464', { host: '127.0.0.1', port: 9464 }],
  ['127.9.9.9:0', { host: '127.9.9.9', port: 0 }],
  ['[::1]:9464', { host: '::1', port: 9464 }],
])('is served at %s', (text, where) => {
  expect(parseListen(text)).toEqual(where)
})

test.each([
  '0.0.0.0:9464',
  '10.0.0.1:9464',
  '[::]:9464',
  '[::ffff:10.0.0.1]:9464',
  'localhost:9464',
  '9464',
  ':9464',
  '127.0.0.1:99999',
  '127.0.0.1:',
  '127.1:80',
])('is not served at %s: others could read it, or it is no address', (text) => {
  expect(() => parseListen(text)).toThrow(/metrics are not served at/)
})
