/**
 * S-58: settings of a real virtual machine, by command: what runs is never disturbed by a change, good or
 * bad, and the next start has it. What could not be started is eligible nowhere, and `why` says so.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { libvirtMissing } from '../../demo/libvirt-host.ts'
import { tinyDomainXml } from '../../demo/vm/domain.ts'
import { type Domain, LibvirtClient } from '../../probe/libvirt/client.ts'
import type { SettingsView } from '../../schema/api/management.ts'
import { runCli } from '../cli/run-cli.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

const missing = libvirtMissing()
if (missing !== null) console.warn(`SKIPPED: settings of a virtual machine: ${missing}`)

describe.skipIf(missing !== null)('settings of a virtual machine', () => {
  let demo: Demo
  let libvirt: LibvirtClient
  beforeAll(async () => {
    demo = await startDemo({ hosts: ['n1'], vm: true, profile: 'standard' })
    await demo.addGroup('vm')
    await demo.addVm('vm', 'vm')
    await change({ poll: { looksAliveMs: 1_000, isAliveMs: 1_000 } })
    await demo.online('vm')
    libvirt = new LibvirtClient(demo.host('n1').options.libvirt?.socket as string)
  })
  afterAll(async () => {
    libvirt?.close()
    await endDemo(demo)
  })

  const params = { cluster: CLUSTER, resource: 'vm' }
  const change = (body: object) => demo.api('changeResource', { params, body })
  const one = () => demo.api('getResource', { params })
  const pid = () => demo.host('n1').options.libvirt?.emulators().get('vm')
  const words = () => readFileSync(`/proc/${pid()}/cmdline`, 'utf8').split('\0')
  const holdfast = async (line: string) => {
    const env = {
      ...{ HOLDFAST_URL: demo.control.url, HOLDFAST_API_KEY: demo.control.key },
      HOLDFAST_CLUSTER: CLUSTER,
    }
    return runCli(line.split(' '), { env })
  }
  const settings = async () =>
    JSON.parse((await holdfast('vm settings vm --json')).stdout) as SettingsView
  const definition = async () => libvirt.definition((await libvirt.lookup('vm')) as Domain)
  const restarted = async () => {
    for (const wanted of ['offlineResource', 'onlineResource'] as const) {
      await demo.api(wanted, { params })
      const status = wanted === 'offlineResource' ? 'offline' : 'online'
      await eventually(status, async () => (await one()).status === status, 30_000)
    }
  }
  /** It runs as before, and the cluster says what is wrong with what is wanted. */
  const degraded = async (says: RegExp) => {
    await eventually(
      `degraded: ${says}`,
      async () => {
        const { detail, degraded } = await one()
        return degraded && says.test(detail ?? '')
      },
      20_000,
    )
    expect(await one()).toMatchObject({ status: 'online', restarts: 0 })
  }

  test('what runs is as configured', async () => {
    const { stdout } = await holdfast('vm settings vm')
    expect(stdout).toMatch(/^memory +2M$/m)
    expect(stdout).toMatch(/^disk.sda +\/\S+vm.img raw sata$/m)
    expect(stdout).toContain('it runs on n1 as configured')
  })

  test('a change: the definition follows, what runs goes on; the next start has it', async () => {
    const before = pid()
    const text = 'vm set vm memory=64M cpus=2 boot=sda nic.net0.user=yes nic.net0.model=e1000e'
    const { stdout, code, stderr } = await holdfast(text)
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/it runs on as it was started; its next start has it/)
    await eventually(
      'defined',
      async () => (await definition()).includes('>65536</memory>'),
      20_000,
    )
    expect(await definition()).toMatch(/<boot order='1'\/>[\s\S]*<model type='e1000e'\/>/)
    // libvirt's own tools still see what the cluster does with it (S-86).
    await eventually('told', async () => /holdfast:cluster/.test(await definition()))
    expect(pid()).toBe(before)
    expect(words().join(' ')).toContain(' -m 2 ')
    const { running } = await settings()
    expect(running?.differences).toEqual(
      expect.arrayContaining([
        { field: 'memoryMib', configured: 64, running: 2 },
        { field: 'cpus', configured: 2, running: 1 },
        { field: 'boot', configured: ['sda'], running: ['hd'] },
        expect.objectContaining({ field: 'interfaces.net0', running: null }),
      ]),
    )
    expect(running?.differences).toHaveLength(4)
    expect((await holdfast('vm settings vm')).stdout).toMatch(
      /memoryMib +runs with 2 +next start: 64/,
    )
    expect(await one()).toMatchObject({ status: 'online', restarts: 0, degraded: false })

    await restarted()
    expect(pid()).not.toBe(before)
    expect(words().join(' ')).toMatch(/ -m 64 .* -smp 2,.*e1000e/)
    expect((await settings()).running?.differences).toEqual([])
  })

  test('while it runs: CPUs and memory within what it was started with, and why not where not', async () => {
    const running = async () => libvirt.migratable((await libvirt.lookup('vm')) as Domain)
    const { properties } = await one()
    const xml = String(properties['xml'])
    expect((await holdfast('vm set vm cpus=2 current-cpus=1 memory=64M')).code).toBe(0)
    await restarted()
    expect(await running()).toMatch(/<vcpu [^>]*current='1'/)
    const before = pid()

    // Its domain has no balloon: said in libvirt's words, and the next start has it.
    const refused = await holdfast('vm set vm current-memory=32M')
    expect(refused.stdout).toMatch(/its next start has it/)
    expect(refused.stdout).toMatch(/memory while it runs: no: .*balloon/)

    // A CPU that there is room for is plugged in; nothing is started again for it.
    const done = await holdfast('vm set vm current-cpus=2')
    expect(done.stdout).toMatch(/it runs with it; nothing has to be started again/)
    expect(done.stdout).toMatch(/CPUs while it runs: done/)
    expect(await running()).not.toMatch(/<vcpu [^>]*current='1'/)
    expect(pid()).toBe(before)

    // More than it was started with: libvirt says so, and the next start has it.
    const more = JSON.parse((await holdfast('vm set vm cpus=4 current-cpus=4 --json')).stdout)
    expect(more).toMatchObject({ changed: true, takesEffect: 'nextStart' })
    expect(more.live.currentCpus).toMatch(/greater than max/)
    expect(pid()).toBe(before)

    const { xml: now } = (await one()).properties
    const withBalloon = String(now).replace(
      "<memballoon model='none'/>",
      "<memballoon model='virtio'/>",
    )
    await change({ properties: { ...properties, xml: withBalloon } })
    await restarted()
    const asked = JSON.parse((await holdfast('vm set vm current-memory=48M --json')).stdout)
    expect(asked).toMatchObject({ takesEffect: 'now', live: { currentMemoryMib: null } })
    await change({ properties: { ...properties, xml } })
    await restarted()
  }, 180_000)

  test('bad input: a disk that is not there, more memory than the host has: what runs goes on', async () => {
    const before = pid()
    await holdfast(`vm set vm disk.sdb.source=${demo.folder}/vm/none.img`)
    await degraded(/could not be started again: "\S+none.img".*ENOENT/)
    await holdfast('vm set vm disk.sdb=none memory=9000G')
    await degraded(/wants 9216000 MiB of memory, and this host has \d+ MiB/)
    expect(pid()).toBe(before)
    // Nor can it be started, and `why` says why not.
    await demo.api('offlineGroup', { params: { cluster: CLUSTER, group: 'vm' } })
    await eventually('offline', async () => (await one()).status === 'offline', 30_000)
    const resume = { params: { cluster: CLUSTER, node: 'n1' } }
    await demo.host('n1').shutDown()
    await demo.api('onlineGroup', { params: { cluster: CLUSTER, group: 'vm' } })
    demo.host('n1').start()
    await demo.api('resumeNode', resume)
    const why = () => holdfast('why vm')
    await eventually('why', async () => /wants 9216000 MiB/.test((await why()).stdout), 40_000)
    expect((await holdfast('vm set vm memory=64M')).stdout).toContain('it does not run')
    await demo.online('vm', undefined, 60_000)
    expect(pid()).toBeDefined()
  })

  test('bad input: XML that is none, or that libvirt does not take: what runs goes on', async () => {
    const { properties } = await one()
    const xml = String(properties['xml'])
    const before = pid()
    await change({ properties: { ...properties, xml: xml.replace('</os>', '</so>') } })
    await degraded(/could not be started again: the domain XML is not well-formed/)
    const { stderr } = await holdfast('vm settings vm')
    expect(stderr).toMatch(/not well-formed at line \d+, column \d+/)
    await change({ properties: { ...properties, xml: xml.replace("bus='sata'", "bus='pigeon'") } })
    await degraded(/could not be started again: .*pigeon/)
    await change({ properties })
    await eventually('well', async () => !(await one()).degraded, 20_000)
    expect(pid()).toBe(before)
  })

  test('bad input: a domain of that name that is not ours is named, and not touched', async () => {
    const host = demo.host('n1').options.libvirt
    const image = `${demo.folder}/vm/vm.img`
    const serialLog = `${demo.folder}/vm/taken.serial`
    const foreign = await libvirt.define(tinyDomainXml({ name: 'taken', image, serialLog }))
    await demo.addGroup('taken')
    await demo.addVm('taken', 'taken', { attempts: 1, delayMs: 0 })
    const other = { params: { cluster: CLUSTER, group: 'taken' } }
    await demo.api('onlineGroup', other)
    const says = new RegExp(
      `another domain "taken" is defined on this host \\(UUID ${foreign.uuid}`,
    )
    await eventually(
      'said',
      async () => says.test((await holdfast('why resource/taken')).stdout),
      30_000,
    )
    expect(await libvirt.lookup('taken')).toEqual(foreign)
    expect(host?.emulators().has('taken')).toBe(false)
  })
})
