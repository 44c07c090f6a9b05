/** A program that runs and does not answer: what an endpoint in its group is for (S-44, S-75). */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { killPid } from '../../demo/host.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-endpoint-'))
const sick = (node: string) => join(folder, `sick-${node}`)
const PROGRAM = `
const sick = '${folder}/sick-' + process.env.HOLDFAST_NODE
require('node:http').createServer((_, r) =>
  r.writeHead(require('node:fs').existsSync(sick) ? 503 : 200).end('well'),
).listen(Number(process.argv[1]), '127.0.0.1')
`
let demo: Demo
beforeAll(async () => {
  // Nothing here is about the lease: one that a busy machine does not run out of.
  demo = await startDemo({ hosts: ['n1', 'n2'], profile: 'standard' })
  const port = await freePort()
  await demo.addGroup('site', { preferredOwners: ['n1', 'n2'] })
  await demo.addProcess('web', 'site', ['-e', PROGRAM, String(port)])
  const add = (body: object) =>
    demo.api('createResource', { params: { cluster: CLUSTER }, body: body as never })
  await add({
    ...{ name: 'page', group: 'site', type: 'http-endpoint', dependsOn: ['web'] },
    properties: { url: `http://127.0.0.1:${port}/`, bodyContains: 'well', retryEveryMs: 50 },
    poll: { isAliveMs: 500, pendingMs: 1_000 },
    restart: { attempts: 1, delayMs: 100 },
  })
  // Needs a site that answers, and would be stopped for a provider that is not online.
  await add({
    ...{ name: 'user', group: 'site', type: 'process', dependsOn: ['page'] },
    properties: { command: '/bin/sleep', args: ['1000'] },
  })
  await demo.online('site', 'n1')
})
afterAll(async () => {
  await endDemo(demo)
  rmSync(folder, { recursive: true, force: true })
})

const pids = async () =>
  (await demo.host('n1').status())?.guard.records.map((r) => r.process?.pid).sort()

test('G8: a restart of RHS, and of the whole tree, touches nothing that depends on an endpoint', async () => {
  const host = demo.host('n1')
  const before = await pids()
  expect(before).toHaveLength(2)
  killPid((await host.status())?.rhs.pid as number)
  await sleep(1_500)
  expect(await pids()).toEqual(before)
  const guard = host.guardPid
  host.killProbe()
  await eventually('a new tree with a session', async () => {
    const now = await host.status()
    return now && now.guard.pid !== guard && now.agent.info?.connected
  })
  await sleep(1_500)
  await demo.online('site', 'n1')
  expect(await pids()).toEqual(before)
})

test('a provider that is sick for good: Online is tried, attempts used up, the group fails over', async () => {
  writeFileSync(sick('n1'), '')
  const at = performance.now()
  const group = await demo.online('site', 'n2', 20_000)
  process.stdout.write(`sick on n1, online on n2 after ${Math.round(performance.now() - at)} ms\n`)
  expect(group.resources.map((r) => r.status)).toEqual(['online', 'online', 'online'])
  expect(await pids()).toEqual([])
})

test('S-76: sick for a moment: no failover, and the provider is the process it was', async () => {
  const { epoch } = await demo.group('site')
  const records = async () => (await demo.host('n2').status())?.guard.records
  const before = (await records())?.find((r) => r.process)
  writeFileSync(sick('n2'), '')
  await demo.until('it is seen', (v) =>
    v.groups[0]?.resources.some((r) => r.name === 'page' && r.status !== 'online'),
  )
  rmSync(sick('n2'))
  const after = await demo.online('site', 'n2')
  expect(after.epoch).toBe(epoch)
  expect((await records())?.map((r) => r.process?.pid)).toContain(before?.process?.pid)
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
