/**
 * What is more than processes: addresses, mounts, and what OCF agents set up. On real hosts of their
 * own (network and mounts), with real tools and agents: the guard alone takes them away (G3 to G5,
 * G10), and never two hosts have them.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { endDemo, eventually, startDemo } from './demo.ts'
import { cannotHaveIslands, Islands } from './islands.ts'

const AGENTS = '/usr/lib/ocf/resource.d/heartbeat'
const missing =
  cannotHaveIslands(['arping', 'curl', 'mkfs.ext4', 'losetup']) ??
  (existsSync(`${AGENTS}/Dummy`) ? null : 'resource-agents is not installed')
if (missing !== null) process.stderr.write(`skipped: kernel state: ${missing}\n`)

type Properties = Record<string, string | number | Record<string, string>>

const ADDRESS = '10.88.0.100'
const OTHER = '10.88.0.101'

const mounts = mkdtempSync(join(tmpdir(), 'holdfast-mounts-'))
const target = join(mounts, 'data')

describe.skipIf(missing !== null)('addresses, mounts and OCF agents', () => {
  let islands: Islands
  let demo: Demo
  let loop = ''
  beforeAll(async () => {
    islands = new Islands(['n1', 'n2'])
    demo = await startDemo({
      hosts: ['n1', 'n2'],
      // A guard that is killed has to be back within the lease, also where that takes six seconds.
      profile: 'wan',
      policy: {
        ocf: { agents: ['ocf:heartbeat:*'] },
        'ip-address': { networks: ['10.88.0.0/24', 'fd00:88::/64'] },
        'file-system': { sources: ['/dev/loop*'], targets: [`${mounts}/*`] },
      },
      hostOptions(name, control) {
        islands.serve(control.port)
        return { enter: islands.enter(name), controlUrl: islands.controlUrl }
      },
    })
    loop = loopDevice(`${demo.folder}/disk.img`)
  })
  afterAll(async () => {
    await endDemo(demo)
    if (loop) spawnSync('losetup', ['--detach', loop])
    islands?.end()
    rmSync(mounts, { recursive: true, force: true })
  })

  const add = async (group: string, name: string, type: string, properties: Properties) => {
    const known = (await demo.view()).groups.some((g) => g.name === group)
    if (!known) await demo.addGroup(group)
    await demo.api('createResource', {
      params: { cluster: CLUSTER },
      body: { ...{ name, group, type, properties }, poll: { isAliveMs: 1_000 } },
    })
  }
  const move = (group: string) =>
    demo.api('moveGroup', { params: { cluster: CLUSTER, group }, body: {} })
  const addresses = (name: string) => islands.ip(name, '-brief address show dev eth0')
  const has = (name: string, address = ADDRESS) => addresses(name).includes(`${address}/`)
  const detailOf = async (name: string) => {
    const all = (await demo.view()).groups.flatMap((g) => g.resources)
    return all.find((r) => r.name === name)?.detail ?? ''
  }
  const records = async (name: string) => (await demo.host(name).status())?.guard.records ?? []

  test('ip-address: neighbours find it where it is, before and after a move', async () => {
    await add('web', 'vip', 'ip-address', { address: `${ADDRESS}/24` })
    await demo.online('web', 'n1')
    expect(has('n1')).toBe(true)
    const neighbour = () => {
      const shown = islands.ip('hub', `neighbour show ${ADDRESS}`)
      return /lladdr (\S+)/.exec(shown)?.[1]
    }
    const macOf = (name: string) => /ether (\S+)/.exec(islands.ip(name, 'link show dev eth0'))?.[1]
    // Somebody has spoken to it: from then on its old place is remembered.
    spawnSync('ip', [
      ...['netns', 'exec', islands.space('hub'), 'curl', '-sm1', `http://${ADDRESS}/`],
    ])
    expect(neighbour()).toBe(macOf('n1'))
    await move('web')
    await demo.online('web', 'n2')
    expect([has('n1'), has('n2')]).toEqual([false, true])
    await eventually('the neighbour has been told', () => neighbour() === macOf('n2'), 5_000)
    await move('web')
    await demo.online('web', 'n1')
  })

  test('ip-address: one that another host has is not taken, and says whose it is', async () => {
    islands.ip('hub', `address add ${OTHER}/24 dev br0`)
    await add('taken', 'dup', 'ip-address', { address: `${OTHER}/24` })
    await eventually('it says so', async () => /another host has/.test(await detailOf('dup')))
    expect(await detailOf('dup')).toMatch(/([0-9a-f]{2}:){5}[0-9a-f]{2} answers for/i)
    expect([has('n1', OTHER), has('n2', OTHER)]).toEqual([false, false])
    islands.ip('hub', `address del ${OTHER}/24 dev br0`)
  })

  test('ip-address: taken away by hand it is put back; IPv6 too', async () => {
    await add('web', 'vip6', 'ip-address', { address: 'FD00:88:0::100/64', device: 'eth0' })
    await demo.online('web', 'n1')
    expect(addresses('n1')).toContain('fd00:88::100/64')
    for (const gone of [`${ADDRESS}/24`, 'fd00:88::100/64'])
      islands.ip('n1', `address del ${gone} dev eth0`)
    await eventually('both are back', () => has('n1') && addresses('n1').includes('fd00:88::100'))
    await demo.online('web', 'n1')
  })

  test('G8, G10: guard, agent and monitors die; the address stays, and is on record again', async () => {
    const before = (await records('n1')).map((r) => r.resourceId).sort()
    demo.host('n1').killProbe()
    for (let n = 0; n < 20; n += 1) {
      expect(has('n1')).toBe(true)
      await sleep(10)
    }
    await eventually('the guard is back', async () => (await records('n1')).length > 0)
    expect((await records('n1')).map((r) => r.resourceId).sort()).toEqual(before)
    await demo.online('web', 'n1')
    expect(has('n2')).toBe(false)
  })

  test('ocf: an agent that has no process of its own is started, checked, moved', async () => {
    await add('dummy', 'dummy', 'ocf', {
      agent: 'ocf:heartbeat:Dummy',
      parameters: { state: '/run/dummy-of-test', fake: 'x' },
    })
    await demo.online('dummy', 'n1')
    const there = (name: string) => islands.run(name, 'ls /run/dummy-of-test 2>/dev/null || true')
    // It lies in a folder that both hosts see: what is shown is who has made it.
    expect(there('n1')).not.toBe('')
    await move('dummy')
    await demo.online('dummy', 'n2')
    islands.run('n2', 'rm /run/dummy-of-test')
    await eventually('monitor has seen it, and it is started again', () => there('n2') !== '')
    await demo.online('dummy', 'n2')
  })

  test('ocf: what its meta-data does not name is refused, by a word of it', async () => {
    await add('bad', 'typo', 'ocf', {
      agent: 'ocf:heartbeat:Dummy',
      parameters: { sate: '/run/x' },
    })
    await eventually('it says so', async () => /no parameter sate/.test(await detailOf('typo')))
    expect(await detailOf('typo')).toMatch(/it has: state, fake/)
    await add('bad', 'none', 'ocf', { agent: 'ocf:heartbeat:NoSuchAgent' })
    await eventually('and that', async () => /not on this host/.test(await detailOf('none')))
  })

  test('file-system: mounted on one host, what keeps it busy is ended with it, moved with what is in it', async () => {
    await add('data', 'disk', 'file-system', {
      ...{ source: loop, target, fsType: 'ext4', fsck: 'preen' },
      stopTimeoutMs: 500,
    })
    await eventually('the mount point is missing', async () =>
      /mkdir -p .*\/data/.test(await detailOf('disk')),
    )
    mkdirSync(target)
    await demo.api('onlineResource', { params: { cluster: CLUSTER, resource: 'disk' } })
    const owner = (await demo.online('data')).owner as 'n1' | 'n2'
    const other = owner === 'n1' ? 'n2' : 'n1'
    islands.run(owner, `echo kept > ${target}/file`)
    expect(islands.run(other, `ls ${target}`)).toBe('')
    // It does not end when it is asked to.
    islands.run(owner, `cd ${target}; (trap "" TERM; exec sleep 1000) >/dev/null 2>&1 & true`)
    await move('data')
    await demo.online('data', other)
    expect(islands.run(other, `cat ${target}/file`)).toBe('kept\n')
    expect(islands.run(owner, `ls ${target}`)).toBe('')
  })

  test('L4, G5: a host that hears nothing has given up address, mount and agent by its own hand when the others have them', async () => {
    for (const group of ['web', 'data', 'dummy']) {
      const owner = (await demo.online(group)).owner
      if (owner !== 'n1') await move(group)
      await demo.online(group, 'n1')
    }
    // A holder that nothing but SIGKILL ends, and monitors and agent that do nothing any more.
    islands.run('n1', `cd ${target}; (trap "" TERM; exec sleep 1000) >/dev/null 2>&1 & true`)
    const { agent = 0, rhs = 0, rhsExec = 0 } = demo.host('n1').treePids()
    for (const pid of [agent, rhs, rhsExec]) process.kill(pid, 'SIGSTOP')
    let both = 0
    let looks = 0
    const begun = performance.now()
    const mountedOn = (name: string) => islands.run(name, 'cat /proc/self/mounts').includes(loop)
    while (performance.now() - begun < 45_000) {
      looks += 1
      // The order matters: whoever takes it over must find it gone.
      const [addressThere, mountThere] = [has('n2'), mountedOn('n2')]
      if ((addressThere && has('n1')) || (mountThere && mountedOn('n1'))) both += 1
      if (addressThere && mountThere) break
      await sleep(5)
    }
    expect({ both, looks: looks > 10 }).toEqual({ both: 0, looks: true })
    for (const group of ['web', 'data', 'dummy']) await demo.online(group, 'n2')
    expect(has('n1')).toBe(false)
    expect(mountedOn('n1')).toBe(false)
    // The guard has ended those that did nothing any more.
    await demo.allUp()
  })
})

/** 16 MiB with an ext4, as a device of this machine. */
function loopDevice(image: string): string {
  const make = `truncate -s 16M ${image} && mkfs.ext4 -q ${image} && losetup --find --show ${image}`
  const done = spawnSync('sh', ['-c', make], { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`no loop device: ${done.stderr}`)
  return done.stdout.trim()
}
