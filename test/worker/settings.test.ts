/** Settings by name at the control plane (S-58): read, compared with what runs, changed by the normal way. */
import { beforeAll, expect, test } from 'vitest'
import { tinyDomainXml } from '../../demo/vm/domain.ts'
import type { ResourceView } from '../../schema/api/bodies.ts'
import type { SettingsChanged, SettingsView } from '../../schema/api/management.ts'
import type { TypeView } from '../../schema/api/types.ts'
import { insertKey, ok, refused, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

const XML = tinyDomainXml({ name: 'db', image: '/vm/db.img', serialLog: '/vm/db.log' })

async function machine(xml = XML) {
  const cluster = await TestCluster.form('standard')
  const node = await TestNode.up(cluster, 'n1')
  const groupId = await cluster.group('vm')
  const epoch = await node.take(groupId)
  const more = { type: 'virtual-machine', properties: { domain: 'db', xml } }
  const resourceId = await cluster.resource('vm', 'db', more)
  const params = { ...cluster.params, resource: 'db' }
  const is = (status: 'online' | 'offline') =>
    node.tell({
      t: 'status',
      items: [{ resourceId, epoch, status, restarts: 0, gaveUp: false }],
    })
  // A new one is unknown at first, and whoever looks would wait for its module.
  await is('offline')
  /** What the module would say. */
  const says = async (running: string | null) => {
    const { request, code } = await node.line.next('control')
    expect(code).toBe('settings')
    const answer = JSON.stringify({ running, defined: XML })
    node.line.send({ t: 'controlled', request, outcome: { answer } })
  }
  const read = () => ok<SettingsView>('getSettings', { params })
  const set = (change: object, more: object = {}) =>
    ok<SettingsChanged>('changeSettings', { params, body: { change, ...more } })
  const xmlNow = async () => (await ok<ResourceView>('getResource', { params })).properties['xml']
  return { cluster, node, params, is, says, read, set, xmlNow }
}

test('S-58: configured is of the hive; what runs is asked of its module and compared', async () => {
  const { cluster, node, is, says, read, set } = await machine()
  // Nothing runs: nobody is asked.
  expect(await read()).toMatchObject({
    ...{ resource: 'db', type: 'virtual-machine', running: null, unseen: null },
    settings: { memoryMib: 2, cpus: 1, boot: ['hd'], disks: { sda: { source: '/vm/db.img' } } },
  })
  expect(await set({ cpus: 2 })).toMatchObject({ changed: true, takesEffect: 'now' })
  await is('online')
  const asked = read()
  await says(XML)
  expect((await asked).running).toMatchObject({
    node: 'n1',
    differences: [{ field: 'cpus', configured: 2, running: 1 }],
  })
  const tried = async (change: object, says: object) => {
    const done = set(change)
    const { request, code, input } = await node.line.next('control')
    node.line.send({ t: 'controlled', request, outcome: { answer: JSON.stringify(says) } })
    return { code, input, done: await done }
  }
  // What it was not started with it cannot have while it runs, and says so.
  expect(await tried({ cpus: 3 }, { currentCpus: 'greater than max' })).toMatchObject({
    ...{ code: 'resize', input: { currentCpus: 3 } },
    done: { changed: true, takesEffect: 'nextStart', live: { currentCpus: 'greater than max' } },
  })
  expect(await tried({ currentCpus: 2 }, { currentCpus: null })).toMatchObject({
    done: { changed: true, takesEffect: 'now', live: { currentCpus: null } },
  })
  const odd = await tried({ currentCpus: 1 }, { currentCpus: 7 })
  expect(odd.done).toMatchObject({
    takesEffect: 'nextStart',
    live: { currentCpus: expect.stringMatching(/n1 says of it cannot be read/) },
  })
  // A module that does not answer, or says what nobody understands, hides nothing else.
  const fails = read()
  const { request } = await node.line.next('control')
  node.line.send({ t: 'controlled', request, outcome: { error: 'libvirtd is gone' } })
  expect(await fails).toMatchObject({
    ...{ running: null, settings: { cpus: 3 } },
    unseen: expect.stringContaining('libvirtd is gone'),
  })
  const strange = read()
  await says('<network/>')
  expect((await strange).unseen).toMatch(/n1 says cannot be read: the XML is of a <network>/)
  const { types } = await ok<{ types: TypeView[] }>('listTypes', { params: cluster.params })
  expect(types.filter((one) => one.managed).map((one) => one.type)).toEqual(['virtual-machine'])
})

test('S-58: a change writes the XML alone, with who and why; what is so already writes nothing', async () => {
  const { cluster, params, set, xmlNow } = await machine()
  const before = await ok<ResourceView>('getResource', { params })
  const { seq } = await cluster.view()
  const dry = await set({ memoryMib: 64 }, { dryRun: true })
  expect(dry).toMatchObject({
    ...{ seq: null, changed: true, dryRun: true },
    settings: { memoryMib: 64 },
  })
  expect(await set({ memoryMib: 2 })).toMatchObject({ seq: null, changed: false })
  expect(await set({})).toMatchObject({ seq: null, changed: false })
  expect((await cluster.view()).seq).toBe(seq)

  const done = await set({ memoryMib: 64 })
  expect(done).toMatchObject({ seq: seq + 1, changed: true, version: dry.version })
  const after = await ok<ResourceView>('getResource', { params })
  const xml = XML.replace('>2<', '>64<')
  expect(after).toEqual({ ...before, properties: { ...before.properties, xml } })
  expect(await xmlNow()).toBe(xml)
  const { events } = await ok<{ events: { message: string; because: object }[] }>('listEvents', {
    params: cluster.params,
    query: { after: String(seq) },
  })
  expect(events).toMatchObject([
    { because: { code: 'resourceChanged', evidence: { by: 'suite' } } },
  ])
})

test('S-58: whoever else has changed it meanwhile is not undone', async () => {
  const { cluster, params, read, set } = await machine()
  const { version } = await read()
  await set({ cpus: 2 }, { version })
  const body = { change: { cpus: 3 }, version }
  expect(await refused('changeSettings', { params, body })).toMatchObject({
    ...{ status: 409, code: 'CHANGED_MEANWHILE' },
  })
  expect((await read()).settings).toMatchObject({ cpus: 2 })
  // Without a version all find their place, one after the other.
  const all = [{ memoryMib: 8 }, { cpus: 4 }, { maxMemoryMib: 100 }, { firmware: 'efi' }]
  await Promise.all(all.map((change) => set(change)))
  expect((await read()).settings).toMatchObject(Object.assign({}, ...all))
  const stub = await cluster.stub()
  const { id: resourceId } = await ok<ResourceView>('getResource', { params })
  const request = { type: 'changeResource', resourceId, settings: {}, from: 'old' } as const
  expect(await stub.ask(request, 'suite')).toMatchObject({ refused: { code: 'CHANGED_MEANWHILE' } })
})

test('bad input: named where it is, and nothing is changed', async () => {
  const { cluster, params, xmlNow } = await machine()
  const { seq } = await cluster.view()
  const no = (change: object) => refused('changeSettings', { params, body: { change } })
  expect(await no({ memoryMib: 0 })).toMatchObject({
    ...{ status: 400, code: 'BAD_SETTING', why: expect.stringMatching(/^memoryMib: /) },
    errors: [{ pointer: '/change/memoryMib' }],
  })
  expect(await no({ memroy: 1 })).toMatchObject({ why: expect.stringContaining('memroy') })
  expect(await no({ disks: { sdb: { source: '/b', target: 'sda' } } })).toMatchObject({
    errors: [{ pointer: '/change/disks/sdb/target' }],
  })
  expect(await no({ boot: ['floppy'] })).toMatchObject({
    detail: expect.stringContaining('there is no boot device "floppy"; there are hd'),
  })
  const body = { change: {}, more: 1 }
  expect(await refused('changeSettings', { params, body })).toMatchObject({ code: 'BAD_REQUEST' })
  // What no longer fits the type is refused by the normal way.
  const disks = Object.fromEntries(
    [...'bcdefghijklmnopqrstuvwxyz'].flatMap((a) =>
      [...'abcdefghijklm'].map((b) => [`vd${a}${b}`, { source: `/${'x'.repeat(300)}` }]),
    ),
  )
  expect(await no({ disks })).toMatchObject({ code: 'BAD_PROPERTY' })
  expect((await cluster.view()).seq).toBe(seq)
  expect(await xmlNow()).toBe(XML)
})

test('bad input: XML in the hive that cannot be read says where, and what to do', async () => {
  const { params } = await machine('<domain>\n  <name>db</nam>\n</domain>')
  const says = {
    ...{ code: 'BAD_SETTING', remedy: expect.stringContaining('--prop-file xml=FILE') },
    detail: expect.stringMatching(/not well-formed at line 2, column/),
  }
  expect(await refused('getSettings', { params })).toMatchObject(says)
  const body = { change: { cpus: 2 } }
  expect(await refused('changeSettings', { params, body })).toMatchObject(says)
})

test('S-58: a type without a management extension says so', async () => {
  const { cluster } = await machine()
  await cluster.resource('vm', 'nginx')
  const params = { ...cluster.params, resource: 'nginx' }
  const says = {
    status: 404,
    code: 'NO_MANAGEMENT_EXTENSION',
    why: expect.stringContaining('process'),
  }
  expect(await refused('getSettings', { params })).toMatchObject(says)
  expect(await refused('changeSettings', { params, body: { change: {} } })).toMatchObject(says)
})
