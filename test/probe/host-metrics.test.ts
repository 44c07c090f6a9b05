/** `holdfast-probe metrics` as a process: once, and on a port of the loopback. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { OPEN_METRICS_TYPE } from '../../schema/open-metrics.ts'
import { oneValue, parseOpenMetrics } from '../open-metrics.ts'
import { ProbeUnderTest } from './run-probe.ts'

const probe = new ProbeUnderTest()
let guard: Server
let asked = 0

/** Answers as a guard's door does, late enough for several to ask meanwhile. */
const ANSWER = {
  node: { id: 'a', name: 'n1' },
  nowMs: 10_000,
  guard: {
    timing: { stopMs: 2_000 },
    leases: { pongEndMs: 15_000, authorityEndMs: 60_000 },
    ...{ grants: [], records: [], stops: [], session: null },
  },
  agent: { pid: null, info: null },
  monitors: [],
}

beforeAll(async () => {
  await probe.build()
  mkdirSync(join(probe.folder, 'h1', 'run'), { recursive: true })
  guard = createServer((socket) => {
    socket.once('data', () => {
      asked += 1
      setTimeout(() => socket.end(`${JSON.stringify(ANSWER)}\n`), 300)
    })
  }).listen(join(probe.folder, 'h1', 'run', 'guard.sock'))
  await once(guard, 'listening')
})
afterAll(() => {
  guard.close()
  probe.end()
})

async function serving(host: string) {
  const [file = '', ...words] = probe.words
  const args = [...words, ...probe.folders(host), 'metrics', '--listen', '127.0.0.1:0']
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const [said] = await once(child.stderr.setEncoding('utf8'), 'data')
  const url = /http:\S+/.exec(String(said))?.[0] ?? ''
  const end = async () => {
    child.kill('SIGTERM')
    return (await once(child, 'close'))[0]
  }
  return { url, end }
}

test('once, to stdout', async () => {
  const { code, stdout } = await probe.run([...probe.folders('h1'), 'metrics'])
  expect(code).toBe(0)
  const lease = { lease: 'pong' }
  const read = parseOpenMetrics(stdout)
  expect(oneValue(read, 'holdfast_probe_lease_remaining_seconds', lease)).toBe(3)
})

test('without a guard: once it is an error', async () => {
  const { code, stderr } = await probe.run([...probe.folders('none'), 'metrics'])
  expect(code).not.toBe(0)
  expect(stderr).toContain('no guard answers')
})

test('on a port: whoever asks at the same time has the guard asked once; nothing else is there', async () => {
  const { url, end } = await serving('h1')
  asked = 0
  const answers = await Promise.all(Array.from({ length: 5 }, () => fetch(url)))
  for (const answer of answers) {
    expect(answer.headers.get('content-type')).toBe(OPEN_METRICS_TYPE)
    expect(oneValue(parseOpenMetrics(await answer.text()), 'holdfast_probe_up')).toBe(1)
  }
  expect(asked).toBe(1)
  expect((await fetch(new URL('/other', url))).status).toBe(404)
  expect((await fetch(url, { method: 'POST' })).status).toBe(405)
  expect(await end()).toBe(0)
})

test('on a port without a guard: that is what it shows', async () => {
  const { url, end } = await serving('none')
  const text = await (await fetch(url)).text()
  expect(oneValue(parseOpenMetrics(text), 'holdfast_probe_up')).toBe(0)
  await end()
})

test('refused: an address that others reach, and a port that is taken', async () => {
  const others = await probe.run([...probe.folders('h1'), 'metrics', '--listen', '0.0.0.0:9464'])
  expect(others.code).not.toBe(0)
  expect(others.stderr).toContain('loopback')
  const { url, end } = await serving('h1')
  const taken = await probe.run([...probe.folders('h1'), 'metrics', '--listen', new URL(url).host])
  expect(taken.code).not.toBe(0)
  expect(taken.stderr).toContain('EADDRINUSE')
  await end()
})
