/**
 * A type of the cluster's own, from its file to two hosts: registered, hosted, corrupted, repaired from
 * a peer, in use, unregistered (S-54 to S-57). Real commands, real files, real processes.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { isAlive } from '../../probe/gate/proc.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

const TYPE = 'keeper'

let demo: Demo
let file: string
beforeAll(async () => {
  demo = await startDemo({
    hosts: ['n1', 'n2'],
    profile: 'standard',
    policy: { modules: { [TYPE]: { commands: ['/bin/sleep'] } } },
  })
  file = join(demo.folder, `${TYPE}.mjs`)
})
afterAll(() => endDemo(demo))

const types = async () =>
  (await demo.api('listTypes', { params: { cluster: CLUSTER } })).types.find((t) => t.type === TYPE)
const on = (node: string, ...words: string[]) => demo.host(node).command('module', ...words)
const json = async (node: string, ...words: string[]) => {
  const { code, stdout } = await on(node, ...words, '--json')
  return { code, said: JSON.parse(stdout) }
}
const hostedBy = (nodes: string[]) =>
  eventually(`${TYPE} is hosted by ${nodes}`, async () => {
    const found = await types()
    return JSON.stringify(found?.nodes) === JSON.stringify(nodes) ? found : undefined
  })
const pinnedFile = (node: string) => {
  const folder = join(demo.host(node).stateFolder, 'modules')
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.mjs')) ?? '')
}
const flipByte = (path: string) => {
  const bytes = readFileSync(path)
  const at = bytes.indexOf('SIGTERM')
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  writeFileSync(path, bytes)
}
const create = () =>
  demo.api('createResource', {
    params: { cluster: CLUSTER },
    body: {
      ...{ name: 'kept', group: 'own', type: TYPE },
      properties: { command: '/bin/sleep', args: ['1000'] },
      restart: { attempts: 1, delayMs: 50 },
    },
  })
const record = async (node: string) => {
  const id = (await demo.group('own')).resources[0]?.id
  return (await demo.host(node).status())?.guard.records.find((r) => r.resourceId === id)
}
const refusal = (call: Promise<unknown>) =>
  call.then(
    () => null,
    (error: { refusal?: { code: string; why?: string; message: string } }) =>
      error.refusal ?? error,
  )

describe('a type of the cluster’s own', () => {
  test('S-54: without a module there is no resource, and the refusal says what to do', async () => {
    await demo.addGroup('own')
    expect(await refusal(create())).toMatchObject({
      code: 'UNKNOWN_TYPE',
      remedy: expect.stringContaining('module register'),
    })
  })

  test('S-55: registered on one host it is in the catalogue, with its hash in the hive', async () => {
    await demo.host('n1').command('module', 'new', TYPE, '--folder', demo.folder)
    const { code, said } = await json('n1', 'register', file)
    expect(said).toMatchObject({ registered: true, changed: true, type: TYPE, version: '1.0.0' })
    expect(code).toBe(0)
    const found = await hostedBy(['n1'])
    expect(found).toMatchObject({ shipped: false, host: 'rhs', versions: ['1.0.0'] })
    const { value } = (await demo.api('getHive', {
      params: { cluster: CLUSTER },
      query: { path: `/Cluster/ResourceTypes/${TYPE}` },
    })) as unknown as { value: { Versions: { sha256: string }[] } }
    expect(value.Versions.map((v) => v.sha256)).toEqual([said.sha256])
    const again = await json('n1', 'register', file)
    expect(again).toMatchObject({ code: 0, said: { changed: false } })
  })

  test('a resource of it runs where it is hosted, and nowhere else', async () => {
    await create()
    await demo.api('onlineGroup', { params: { cluster: CLUSTER, group: 'own' } })
    await demo.online('own', 'n1')
    const refused = await refusal(
      demo.api('moveGroup', { params: { cluster: CLUSTER, group: 'own' }, body: { to: 'n2' } }),
    )
    expect(JSON.stringify(refused)).toContain('cannot host type keeper')
  })

  test('properties are checked at the control plane by the registered schema', async () => {
    const params = { cluster: CLUSTER, resource: 'kept' }
    const bad = await refusal(
      demo.api('changeResource', { params, body: { properties: { comand: '/bin/sleep' } } }),
    )
    expect(bad).toMatchObject({ code: 'BAD_PROPERTY', why: expect.stringContaining('comand') })
  })

  test('registered on the other host: both host it, and what runs is not touched', async () => {
    const before = await record('n1')
    expect((await json('n2', 'register', file)).code).toBe(0)
    await hostedBy(['n1', 'n2'])
    expect((await record('n1'))?.process).toEqual(before?.process)
  })

  test('another file under the same version is a conflict, and changes nothing', async () => {
    const other = join(demo.folder, 'other.mjs')
    writeFileSync(other, `${readFileSync(file, 'utf8')}\n// changed\n`)
    const { code, said } = await json('n2', 'register', other)
    expect(said.error).toMatchObject({ code: 'TYPE_CONFLICT' })
    expect(code).toBe(7)
    expect((await json('n2', 'verify', TYPE)).code).toBe(0)
    await hostedBy(['n1', 'n2'])
  })

  test('S-57: a byte flipped while it is loaded is seen, and the node is not eligible, with the reason', async () => {
    flipByte(pinnedFile('n2'))
    const found = await hostedBy(['n1'])
    expect(found.unable).toEqual([{ node: 'n2', why: expect.stringContaining('it is corrupt') }])
    const verified = await json('n2', 'verify')
    expect(verified.said.modules[0].problem).toContain('it is corrupt')
    expect(verified.code).toBe(3)
    const refused = await refusal(
      demo.api('moveGroup', { params: { cluster: CLUSTER, group: 'own' }, body: { to: 'n2' } }),
    )
    expect(JSON.stringify(refused)).toContain('corrupt')
  })

  test('S-56: a corrupt file is not loaded by the next monitor either', async () => {
    const { rhs } = demo.host('n2').treePids()
    process.kill(rhs as number, 'SIGKILL')
    await eventually('another monitor is there', async () => {
      const now = demo.host('n2').treePids().rhs
      return now !== undefined && now !== rhs
    })
    await eventually('and says that it has not loaded it', async () =>
      (await types())?.unable[0]?.why.includes('not loaded'),
    )
  })

  test('S-56: repaired from the node that has it intact, by the pinned hash alone', async () => {
    const { code, said } = await json('n2', 'repair', TYPE)
    expect(said).toMatchObject({ repaired: true, from: 'another node' })
    expect(code).toBe(0)
    expect(readFileSync(pinnedFile('n2'))).toEqual(readFileSync(file))
    await hostedBy(['n1', 'n2'])
    expect(await json('n2', 'repair', TYPE)).toMatchObject({ code: 0, said: { changed: false } })
  })

  test('where it runs and its file is corrupt: it runs on; without its monitor it fails over, once', async () => {
    const before = await record('n1')
    flipByte(pinnedFile('n1'))
    await hostedBy(['n2'])
    expect(before?.process && isAlive(before.process)).toBe(true)
    process.kill(demo.host('n1').treePids().rhs as number, 'SIGKILL')
    await demo.online('own', 'n2')
    expect(before?.process && isAlive(before.process)).toBe(false)
    expect(await record('n1')).toBeUndefined()
  })

  test('repaired from a file: only the one that was registered', async () => {
    const other = join(demo.folder, 'other.mjs')
    const wrong = await json('n1', 'repair', TYPE, '--file', other)
    expect(wrong.said.error).toMatchObject({ code: 'BAD_MODULE' })
    expect(wrong.code).toBe(2)
    expect((await json('n1', 'repair', TYPE, '--file', file)).code).toBe(0)
    await hostedBy(['n1', 'n2'])
  })

  test('a new version with a schema that the resource does not fit is refused', async () => {
    const next = join(demo.folder, 'next.mjs')
    const text = readFileSync(file, 'utf8').replace("'1.0.0'", "'2.0.0'")
    const names = text.replaceAll('command', 'program')
    writeFileSync(next, names)
    const { code, said } = await json('n1', 'register', next, '--no-try')
    expect(said.error).toMatchObject({
      code: 'TYPE_CONFLICT',
      why: expect.stringContaining('"kept"'),
    })
    expect(code).toBe(7)
    writeFileSync(next, text)
    expect((await json('n1', 'register', next)).code).toBe(0)
    const found = await hostedBy(['n1', 'n2'])
    expect(found.versions).toEqual(['1.0.0', '2.0.0'])
    expect((await demo.group('own')).owner).toBe('n2')
  })

  test('S-55: in use it is not unregistered; then it is, and the other host says that it is not', async () => {
    const { code, said } = await json('n1', 'unregister', TYPE)
    expect(said.error).toMatchObject({ code: 'RESOURCE_IN_USE' })
    expect(code).toBe(8)
    const params = { cluster: CLUSTER, group: 'own' }
    await demo.api('offlineGroup', { params })
    await demo.until('it is offline', (v) =>
      v.groups.every((g) => g.resources.every((r) => r.status === 'offline')),
    )
    await demo.api('deleteResource', { params: { cluster: CLUSTER, resource: 'kept' } })
    expect((await json('n1', 'unregister', TYPE)).code).toBe(0)
    expect(await types()).toBeUndefined()
    const left = await json('n2', 'list')
    expect(left.said.modules[0]).toMatchObject({ problem: null, inCluster: false })
    expect(left.code).toBe(3)
    expect(await refusal(create())).toMatchObject({ code: 'UNKNOWN_TYPE' })
    expect((await json('n2', 'unregister', TYPE)).code).toBe(0)
    expect((await json('n2', 'list')).said.modules).toEqual([])
    expect((await json('n2', 'unregister', TYPE)).code).toBe(5)
  })
})
