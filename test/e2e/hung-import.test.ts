/**
 * S-32: a module file whose own statements keep its process busy, wait for ever or end it. It costs a shared
 * monitor one life; then it is tried where its resource is alone, and refused there too, with the reason.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { endDemo, eventually, startDemo } from './demo.ts'
import { type Monitor, monitorsOf } from './monitors-of.ts'

const NEIGHBOURS = 5
const TYPE = 'keeper'

let demo: Demo
let file: string
let flag: string
beforeAll(async () => {
  demo = await startDemo({
    hosts: ['n1'],
    profile: 'standard',
    policy: { modules: { [TYPE]: { commands: ['/bin/sleep'] } } },
  })
  file = join(demo.folder, `${TYPE}.mjs`)
  flag = join(demo.folder, 'flag')
  await demo.host('n1').command('module', 'new', TYPE, '--folder', demo.folder)
  const text = readFileSync(file, 'utf8')
  const trap = `import { existsSync } from 'node:fs'
while (existsSync('${flag}-blocks'));
if (existsSync('${flag}-exits')) process.exit(9)
if (existsSync('${flag}-waits')) await new Promise(() => setInterval(() => {}, 1_000))
`
  writeFileSync(file, trap + text)
  await register()
  await demo.addGroup('good')
  await demo.addGroup('own')
  const params = { cluster: CLUSTER }
  const properties = { command: '/bin/sleep', args: ['1000'] }
  for (let n = 1; n <= NEIGHBOURS; n += 1)
    await demo.api('createResource', {
      params,
      body: { name: `good${n}`, group: 'good', type: 'process', properties },
    })
  await eventually('it is hosted', async () => (await type())?.nodes.length === 1)
  await demo.api('createResource', {
    params,
    body: {
      ...{ name: 'kept', group: 'own', type: TYPE, properties },
      restart: { attempts: 1, delayMs: 50 },
    },
  })
  await demo.online('good')
  await demo.online('own')
})
afterAll(() => endDemo(demo))

const register = async () => {
  const { code, stderr } = await demo.host('n1').command('module', 'register', file, '--no-try')
  expect([code, stderr]).toEqual([0, ''])
}
const type = async () =>
  (await demo.api('listTypes', { params: { cluster: CLUSTER } })).types.find((t) => t.type === TYPE)
const { status, monitor, online } = monitorsOf(() => demo)
const kept = () => demo.api('getResource', { params: { cluster: CLUSTER, resource: 'kept' } })
const evidence = async () => {
  const params = { cluster: CLUSTER, resource: 'kept' }
  return (await demo.api('getEvidence', { params })).incidents
}
/** The shared monitor is killed while the file says that the import is not to end well. */
const trapped = async (how: string) => {
  const before = (await monitor('rhs')) as Monitor
  writeFileSync(`${flag}-${how}`, '')
  process.kill(before.pid as number, 'SIGKILL')
  return before.generation
}
/** Somebody has seen to it: the same file is tried again, and the resource is with the others. */
const mended = async (how: string) => {
  rmSync(`${flag}-${how}`)
  await register()
  await eventually('it is hosted again', async () => (await type())?.nodes.length === 1)
  await demo.api('changeResource', {
    params: { cluster: CLUSTER, resource: 'kept' },
    body: { separateMonitor: false },
  })
  await eventually(
    'all are online',
    async () => (await online('rhs')).length === NEIGHBOURS + 1,
    60_000,
  )
}

test('one that blocks: one more life of the shared monitor, then the others are served without it', async () => {
  const records = (await status()).guard.records
  const generation = await trapped('blocks')
  const own = `rhs:${(await kept()).id}`
  await eventually(
    'the neighbours are adopted',
    async () => (await online('rhs')).length === NEIGHBOURS,
    20_000,
  )
  const shared = (await monitor('rhs')) as Monitor
  expect(shared.generation).toBe(generation + 2)
  // Tried once more where it is alone, which is refused as well: nobody restarts for it any more.
  await eventually('refused alone', async () => (await kept()).status === 'failed', 30_000)
  const alone = (await monitor(own)) as Monitor
  expect(alone.generation).toBe(2)
  expect(await monitor('rhs')).toMatchObject({ generation: shared.generation, pid: shared.pid })
  // No neighbour has noticed, and what it had started is not left running by nobody.
  const ids = new Set((await status()).guard.records.map((r) => r.resourceId))
  for (const record of records)
    if (record.resourceId !== (await kept()).id) expect(ids).toContain(record.resourceId)

  const { isolated, separateMonitor, detail } = await kept()
  expect(separateMonitor).toBe(true)
  expect(isolated?.detail).toMatch(
    /^it hangs: no sign of life .*under way: import of keeper keeper-\w+\.mjs for/,
  )
  expect(detail).toMatch(
    /no module for type keeper: its module is not loaded: rhs:\S+ ended while it imported it: it hangs/,
  )
  const last = (await evidence()).at(-1)
  expect(last?.calls.at(-1)).toMatchObject({ type: TYPE, fn: 'import' })
  // It may be a call deep in Node.js that it is caught in.
  expect(last?.stack?.join('\n')).toMatch(/state\/modules\/keeper-\w+\.mjs:2:/)
  expect((await type())?.unable).toEqual([
    {
      node: 'n1',
      why: expect.stringMatching(/rhs ended while it imported it.*register a corrected version/),
    },
  ])
}, 90_000)

test('registered again, the same file is tried again', async () => {
  await mended('blocks')
}, 90_000)

test('one that ends its process: refused after the first time', async () => {
  const generation = await trapped('exits')
  await eventually('refused', async () => (await type())?.unable.length === 1, 20_000)
  expect((await type())?.unable[0]?.why).toMatch(/rhs ended while it imported it: exit 9/)
  expect((await monitor('rhs'))?.generation).toBe(generation + 2)
  await eventually('the neighbours', async () => (await online('rhs')).length === NEIGHBOURS)
  await mended('exits')
}, 90_000)

test('one that waits for ever: given up after its time, and not waited for again', async () => {
  const generation = await trapped('waits')
  await eventually('refused', async () => (await type())?.unable.length === 1, 20_000)
  expect((await type())?.unable[0]?.why).toMatch(/not over after 5000 ms/)
  expect((await monitor('rhs'))?.generation).toBe(generation + 1)
  process.kill((await monitor('rhs'))?.pid as number, 'SIGKILL')
  const killedMs = performance.now()
  await eventually('the neighbours', async () => {
    return (
      (await monitor('rhs'))?.generation === generation + 2 &&
      (await online('rhs')).length === NEIGHBOURS
    )
  })
  expect(performance.now() - killedMs).toBeLessThan(5_000)
}, 90_000)
