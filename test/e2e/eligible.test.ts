/**
 * What a host's policy or the host itself does not allow is not eligible there: the offer is refused with
 * the reason, before anything is begun (O1, S-54). Real hosts, of which each has its own policy.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

let demo: Demo
let scripts = ''
beforeAll(async () => {
  demo = await startDemo({
    hosts: ['n1', 'n2'],
    profile: 'standard',
    hostOptions: (name) => ({
      policy:
        name === 'n1'
          ? { process: { commands: ['/bin/sleep', '/opt/holdfast-nowhere/*'] } }
          : { process: { commands: ['/bin/true', '/opt/holdfast-nowhere/*'] } },
    }),
  })
  scripts = join(demo.folder, 'scripts')
  mkdirSync(scripts)
  writeFileSync(join(scripts, 'none'), '')
})
afterAll(() => endDemo(demo))

const add = async (group: string, command: string) => {
  await demo.addGroup(group)
  await demo.api('createResource', {
    params: { cluster: CLUSTER },
    body: {
      ...{ name: `${group}-one`, group, type: 'process' },
      properties: { command, args: ['1000'] },
    },
  })
  await demo.api('onlineGroup', { params: { cluster: CLUSTER, group } })
}
const why = async (group: string) =>
  JSON.stringify(await demo.api('whyGroup', { params: { cluster: CLUSTER, group } }))
const recordsOf = async (group: string) => {
  const ids = (await demo.group(group)).resources.map((r) => r.id)
  const all = await Promise.all(['n1', 'n2'].map((name) => demo.host(name).status()))
  const records = all.flatMap((one) => one?.guard.records ?? [])
  return records.filter((r) => ids.includes(r.resourceId))
}

test('a group goes to the host whose policy allows it, whatever the order of nodes', async () => {
  await add('fine', '/bin/sleep')
  await demo.online('fine', 'n1')
})

const recordOf = async (group: string) => (await recordsOf(group))[0]

test('a move to the other is refused before anything is stopped, with the reason', async () => {
  const [before, record] = [await demo.group('fine'), await recordOf('fine')]
  const refused = await demo
    .api('moveGroup', { params: { cluster: CLUSTER, group: 'fine' }, body: { to: 'n2' } })
    .then(
      () => null,
      (error: { refusal?: object }) => error.refusal,
    )
  expect(refused).toMatchObject({
    code: 'NOT_POSSIBLE_OWNER',
    message: expect.stringContaining("hostPolicy: this host's policy does not allow /bin/sleep"),
    why: 'n2 was asked first. Nothing was stopped.',
  })
  expect((await demo.group('fine')).epoch).toBe(before.epoch)
  expect((await recordOf('fine'))?.process).toEqual(record?.process)
})

test('a move that names no node is refused too, when no other could run it: nothing was stopped', async () => {
  const [before, record] = [await demo.group('fine'), await recordOf('fine')]
  const refused = await demo
    .api('moveGroup', { params: { cluster: CLUSTER, group: 'fine' }, body: {} })
    .then(
      () => null,
      (error: { refusal?: object }) => error.refusal,
    )
  expect(refused).toMatchObject({
    code: 'NO_ELIGIBLE_NODE',
    why: expect.stringContaining("this host's policy does not allow /bin/sleep"),
  })
  expect((await demo.group('fine')).epoch).toBe(before.epoch)
  expect((await recordOf('fine'))?.process).toEqual(record?.process)
})

test('without an owner it is offered to both in their order, and the one that could not refuses', async () => {
  const params = { cluster: CLUSTER, group: 'fine' }
  await demo.api('pauseNode', { params: { cluster: CLUSTER, node: 'n1' } })
  await demo.host('n1').shutDown()
  const text = await eventually('n2 has refused', async () => {
    const said = await why('fine')
    return said.includes('does not allow /bin/sleep') && said
  })
  expect(text).toContain('n2')
  demo.host('n1').start()
  await demo.api('resumeNode', { params: { cluster: CLUSTER, node: 'n1' } })
  await demo.online('fine', 'n1')
  expect((await demo.api('getGroup', { params })).owner).toBe('n1')
})

test('what no host could run is started nowhere, and why says of each host why not', async () => {
  await add('nowhere', '/opt/holdfast-nowhere/server')
  const text = await eventually('both have refused', async () => {
    const said = await why('nowhere')
    return said.split('is missing or cannot be executed').length > 2 && said
  })
  expect(text).toContain('n1')
  expect(text).toContain('n2')
  expect(await recordsOf('nowhere')).toEqual([])
  expect((await recordsOf('fine')).length).toBe(1)
})
