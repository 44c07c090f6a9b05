/** `holdfast-probe leave`, in order and by force, against a control plane and real guards. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { type DemoHost, killPid } from '../../demo/host.ts'
import { bootMs } from '../../probe/clock.ts'
import { isAlive } from '../../probe/gate/proc.ts'
import { endDemo, eventually, startDemo, starts } from '../e2e/demo.ts'
import { ProbeUnderTest } from './run-probe.ts'

const probe = new ProbeUnderTest()
let demo: Demo
beforeAll(async () => {
  await probe.build()
  demo = await startDemo({ hosts: ['n1', 'n2', 'n3'], profile: 'standard' })
  await demo.addGroup('ledger')
  await demo.addWitness('ledger', 'ledger')
  await demo.online('ledger', 'n1')
  await eventually('the witness writes', () => starts(demo).length === 1)
})
afterAll(async () => {
  await endDemo(demo)
  probe.end()
})

const foldersOf = (host: DemoHost) => [
  ...['--state', host.stateFolder, '--run', host.runFolder],
  ...['--policy', join(host.options.folder, 'policy.json')],
]
const nodes = async () => (await demo.view()).nodes.map((node) => node.name)

test('in order: the group is elsewhere first, and the guard is not started again', async () => {
  const host = demo.host('n1')
  const left = await probe.run(['leave', '--json', ...foldersOf(host)])
  expect(left.code, left.stderr).toBe(0)
  expect(JSON.parse(left.stdout)).toMatchObject({ left: true, changed: true, cluster: CLUSTER })
  expect(await nodes()).toEqual(['n2', 'n3'])
  await eventually('the witness runs elsewhere', () => starts(demo).length === 2)
  expect(demo.overlaps('ledger')).toBe(0)
  // The next guard has found a host that has not joined: exit code 5, and that was all (A6).
  await eventually('nobody starts it', () => host.guardPid === undefined)
  expect(readFileSync(join(host.options.folder, 'probe.log'), 'utf8')).toContain('[NOT_JOINED]')
  const again = await probe.run(['leave', '--json', ...foldersOf(host)])
  expect(again.code).toBe(5)
  expect(JSON.parse(again.stdout).error).toMatchObject({ code: 'NOT_JOINED' })
  // It may join again, and what it knew of the cluster begins anew.
  const { token } = await demo.api('createToken', { params: { cluster: CLUSTER }, body: {} })
  expect(await host.join(demo.control.url, token)).toBe(true)
  host.start()
  await demo.allUp()
})

test('by force: it asks first; then what runs is stopped, and identity and key are gone', async () => {
  const group = await demo.online('ledger')
  const host = demo.host(group.owner as string)
  const record = (await host.status())?.guard.records[0]
  const asked = await probe.run(['leave', '--force', '--json', ...foldersOf(host)])
  expect(asked.code).toBe(2)
  expect(JSON.parse(asked.stdout).error.remedy).toContain('--yes')
  expect(isAlive(record?.process as never)).toBe(true)
  const left = await probe.run(['leave', '--force', '--yes', '--json', ...foldersOf(host)])
  expect(left.code, left.stderr).toBe(0)
  expect(JSON.parse(left.stdout)).toMatchObject({ left: true, changed: true, killed: 0 })
  expect(isAlive(record?.process as never)).toBe(false)
  for (const file of ['identity.json', 'identity.key', 'hive.json'])
    expect(existsSync(join(host.stateFolder, file)), file).toBe(false)
  await eventually('nobody starts it', () => host.guardPid === undefined)
  // The cluster was not told: it waits for the lease, as for any host that is lost (D3).
  await demo.until('the node is down', (v) => v.nodes.some((n) => n.state === 'down'))
  await eventually('the witness runs elsewhere', () => starts(demo).length === 3)
  expect(demo.overlaps('ledger')).toBe(0)
  await demo.api('evictNode', {
    params: { cluster: CLUSTER, node: host.name },
    query: { lost: 'true' },
  })
  demo.removeHost(host)
  const twice = await probe.run(['leave', '--force', '--yes', '--json', ...foldersOf(host)])
  expect(JSON.parse(twice.stdout)).toEqual({ left: true, changed: false, removed: [] })
})

test('by force, after the guard died and nobody brought it back: what it left is killed', async () => {
  const group = await demo.online('ledger')
  const host = demo.host(group.owner as string)
  const record = (await host.status())?.guard.records[0]
  host.killWithoutRunner()
  expect(isAlive(record?.process as never)).toBe(true)
  const left = await probe.run(['leave', '--force', '--yes', ...foldersOf(host)])
  expect(left.code, left.stderr).toBe(0)
  expect(left.stdout).toMatch(/^killed \d+ processes\nremoved /)
  expect(left.stdout).toContain(`holdfast node remove ${host.name} --lost`)
  expect(isAlive(record?.process as never)).toBe(false)
  await eventually('the witness runs elsewhere', () => starts(demo).length === 4, 20_000)
  expect(demo.overlaps('ledger')).toBe(0)
  demo.removeHost(host)
})

/** A cgroup as systemd makes it for the unit, or null. */
function unitGroup(): string | null {
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'latin1'))?.[1]
  const mount = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/self/mounts', 'latin1'))?.[1]
  if (own === undefined || mount === undefined) return null
  const path = join(mount, own, `test-${process.pid}.slice`, 'holdfast-probe.service')
  try {
    mkdirSync(path, { recursive: true })
    return path
  } catch {
    return null
  }
}

test('G10, G11: a restart of the unit: workloads stay in its cgroup and go on, the old tree ends', async (ctx) => {
  const unit = unitGroup()
  ctx.skip(unit === null, 'no cgroup v2 to be had')
  const host = demo.hosts[0] as DemoHost
  const ran = starts(demo).length + 1
  await host.shutDown()
  const start = () =>
    spawn(
      '/bin/sh',
      [
        '-c',
        `echo $$ > ${unit}/cgroup.procs && exec "$@"`,
        '-',
        process.execPath,
        host.options.probe,
        'run',
        ...foldersOf(host),
      ],
      { stdio: 'ignore', detached: true },
    )
  let guard = start()
  try {
    await demo.online('ledger', host.name)
    const before = await eventually('the guard answers', () => host.status())
    const record = before.guard.records[0]
    const groupOf = (pid: number) => readFileSync(`/proc/${pid}/cgroup`, 'latin1')
    expect(groupOf(record?.process?.pid as number)).toMatch(
      /\/holdfast-probe\.service\/holdfast-[^/]+\/w-/,
    )
    await eventually('the witness writes', () => starts(demo).length === ran)
    const gone = new Promise((done) => guard.on('exit', done))
    const at = bootMs()
    killPid(guard.pid as number)
    await gone
    guard = start()
    const after = await eventually('the next guard answers', async () => {
      const status = await host.status()
      return status && status.guard.pid !== before.guard.pid ? status : null
    })
    expect(bootMs() - at).toBeLessThan(5_000)
    expect(after.guard.records[0]?.process).toEqual(record?.process)
    expect(groupOf(after.guard.pid)).toContain('/holdfast-probe.service/holdfast-')
    await eventually('the old tree has ended', () => {
      const base = join(unit as string, `holdfast-${host.nodeId}`)
      return readdirSync(base).filter((name) => name.startsWith('tree-')).length === 1
    })
    await demo.online('ledger', host.name)
    expect(starts(demo)).toHaveLength(ran)
  } finally {
    const over = new Promise((done) => guard.on('exit', done))
    guard.kill('SIGTERM')
    await over
    for (const path of [
      join(unit as string, `holdfast-${host.nodeId}`),
      unit as string,
      join(unit as string, '..'),
    ])
      removeTree(path)
  }
})

/** Cgroups that are empty; what is not, is somebody's and stays. */
function removeTree(path: string): void {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true }))
      if (entry.isDirectory()) removeTree(join(path, entry.name))
    rmdirSync(path)
  } catch {
    // Not empty.
  }
}
