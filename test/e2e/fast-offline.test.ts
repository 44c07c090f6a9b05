/**
 * S-50: a type that says that nothing is lost by it is killed where time counts, and stopped gracefully
 * where it does not. Its program writes a line when it is asked to end, so there is no doubt about which.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

const params = { cluster: CLUSTER, group: 'own' }

let demo: Demo
let goodbyes: string
beforeAll(async () => {
  demo = await startDemo({
    hosts: ['n1', 'n2'],
    profile: 'standard',
    policy: { modules: { keeper: { commands: ['/bin/sh'] } } },
  })
  goodbyes = join(demo.folder, 'goodbyes')
  await registerHurried()
  await demo.addGroup('own')
  await demo.api('createResource', {
    params: { cluster: CLUSTER },
    body: {
      ...{ name: 'kept', group: 'own', type: 'keeper' },
      properties: {
        command: '/bin/sh',
        args: ['-c', `trap 'echo asked >> ${goodbyes}; exit 0' TERM; while :; do sleep 0.1; done`],
      },
    },
  })
  await demo.api('onlineGroup', { params })
  await demo.online('own', 'n1')
})
afterAll(() => endDemo(demo))

/** The module that `module new` makes, with the hint. */
async function registerHurried(): Promise<void> {
  const file = join(demo.folder, 'keeper.mjs')
  await demo.host('n1').command('module', 'new', 'keeper', '--folder', demo.folder)
  const text = readFileSync(file, 'utf8')
  const hinted = text.replace(
    "version: '1.0.0',",
    "version: '1.0.0',\n  hints: { fastOffline: true },",
  )
  expect(hinted).not.toBe(text)
  writeFileSync(file, hinted)
  for (const node of ['n1', 'n2']) {
    const { code, stdout, stderr } = await demo.host(node).command('module', 'register', file)
    expect(code, stdout + stderr).toBe(0)
  }
  await eventually('both host it', async () => {
    const { types } = await demo.api('listTypes', { params: { cluster: CLUSTER } })
    return types.find((one) => one.type === 'keeper')?.nodes.length === 2
  })
}

const asked = () =>
  existsSync(goodbyes) ? readFileSync(goodbyes, 'utf8').split('\n').length - 1 : 0

test('a move has time: it is asked to end', async () => {
  await demo.api('moveGroup', { params, body: { to: 'n2' } })
  await demo.online('own', 'n2')
  expect(asked()).toBe(1)
})

test('a failover has none: it is killed, and nobody asks it', async () => {
  await demo.api('failoverGroup', { params })
  await demo.online('own', 'n1')
  expect(asked()).toBe(1)
  expect((await demo.group('own')).epoch).toBeGreaterThan(2)
})

test('offline by an operator has time', async () => {
  await demo.api('offlineGroup', { params })
  await demo.until('it is offline', (view) =>
    view.groups.every((group) => group.resources.every((one) => one.status === 'offline')),
  )
  expect(asked()).toBe(2)
})
