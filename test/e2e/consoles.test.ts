/**
 * Two consoles for one virtual machine: the cluster's and libvirt's (S-59, S-86, S-87). Whatever is
 * done in either of them, in whatever order: when it has settled, both say the same.
 */
import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { killPid } from '../../demo/host.ts'
import { libvirtMissing } from '../../demo/libvirt-host.ts'
import { DOMAIN, type Domain, LibvirtClient } from '../../probe/libvirt/client.ts'
import { NAMESPACE } from '../../probe/libvirt/metadata.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

const ROUNDS = 24
const IS_ALIVE_MS = 500
const missing = libvirtMissing()
if (missing !== null) console.warn(`SKIPPED: two consoles: ${missing}`)

describe.skipIf(missing !== null)('S-86, S-87: both consoles', () => {
  let demo: Demo
  let libvirt: LibvirtClient
  let domain: Domain
  const resource = { cluster: CLUSTER, resource: 'vm' }

  beforeAll(async () => {
    demo = await startDemo({ hosts: ['n1'], vm: true })
    await demo.addGroup('vm')
    await demo.addVm('vm', 'vm', { attempts: 1_000, delayMs: 0 })
    await demo.api('changeResource', {
      params: resource,
      body: { poll: { isAliveMs: IS_ALIVE_MS, looksAliveMs: 1_000 } },
    })
    await demo.online('vm')
    libvirt = new LibvirtClient(demo.host('n1').options.libvirt?.socket as string)
    domain = (await libvirt.lookup('vm')) as Domain
  })
  afterAll(async () => {
    libvirt?.close()
    await endDemo(demo)
  })

  const emulator = () => demo.host('n1').options.libvirt?.emulators().get('vm')
  const ours = async () => (await demo.group('vm')).resources[0]
  const theirs = async () => {
    const { state } = await libvirt.state(domain)
    const runs = state === DOMAIN.running || state === DOMAIN.paused
    const xml = await libvirt.metadata(domain, { uri: NAMESPACE, live: runs }).catch(() => '')
    const note = Object.fromEntries(
      [...xml.matchAll(/([A-Za-z]+)=['"]([^'"]*)['"]/g)].map(([, key, value]) => [key, value]),
    )
    return { runs, note }
  }

  /** Null: they agree. Else what they disagree about. */
  async function difference(): Promise<string | null> {
    const [we, they] = [await ours(), await theirs()]
    const online = we?.status === 'online'
    const settled = online || we?.status === 'offline'
    const wanted = we?.persistentState === 1
    if (settled && online === wanted && online === they.runs && they.note['status'] === we.status)
      return null
    return `cluster: ${we?.status}, wanted ${we?.persistentState}; libvirt: ${
      they.runs ? 'runs' : 'off'
    }, noted ${JSON.stringify(they.note)}`
  }

  const actions: Record<string, () => Promise<unknown>> = {
    'cluster: online': () => demo.api('onlineResource', { params: resource }),
    'cluster: offline': () => demo.api('offlineResource', { params: resource }),
    'libvirt: start': () => libvirt.create(domain, { timeoutMs: 5_000 }),
    'libvirt: shutdown': () => libvirt.shutdown(domain, { timeoutMs: 5_000 }),
    'libvirt: destroy': () => libvirt.destroy(domain, { timeoutMs: 15_000 }),
    'nobody: crash': async () => {
      const pid = emulator()
      // Never a pid that is none: kill(-1) is everybody.
      if (pid !== undefined) killPid(pid)
    },
  }

  test(`${ROUNDS} random actions, alone and two at once: settled, they agree`, async () => {
    const names = Object.keys(actions)
    const done: string[] = []
    const took: number[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      const chosen = [names[randomInt(names.length)], names[randomInt(names.length)]]
      const now = chosen.slice(0, 1 + (round % 2)) as string[]
      // What the other console refuses is refused: that is agreement too.
      const results = await Promise.allSettled(now.map((name) => actions[name]?.()))
      done.push(
        now.map((n, i) => `${n}${results[i]?.status === 'fulfilled' ? '' : ' ✗'}`).join(' + '),
      )
      const at = performance.now()
      let last: string | null = 'not looked yet'
      const end = at + IS_ALIVE_MS + 12_000
      while (performance.now() < end) {
        last = await difference()
        if (last === null) break
      }
      expect(last, `after ${done.join('; ')}`).toBeNull()
      took.push(performance.now() - at)
    }
    took.sort((a, b) => a - b)
    const median = took[took.length >> 1] as number
    process.stdout.write(
      `${done.join('; ')}\nagreed after ${Math.round(median)} ms (median), ${Math.round(took.at(-1) as number)} ms (longest)\n`,
    )
  })

  test('the note says node, group, epoch, wish, status, step and when', async () => {
    await demo.api('onlineResource', { params: resource })
    await eventually('both are online', async () => (await difference()) === null)
    const { note } = await theirs()
    const group = await demo.group('vm')
    expect(note).toMatchObject({
      node: 'n1',
      group: group.id,
      epoch: String(group.epoch),
      wanted: 'online',
      status: 'online',
    })
    expect(['status', 'online']).toContain(note['step'])
    expect(Math.abs(Date.now() - Number(note['atMs']))).toBeLessThan(120_000)
    // The note is nothing that the thorough check would put back.
    await eventually('LooksAlive has run', async () => {
      const rhs = (await demo.host('n1').status())?.monitors[0]?.tables
      return rhs !== 'no answer' && (rhs?.groups[0]?.looksAlive?.atMs ?? 0) > 0
    })
    expect((await ours())?.detail ?? '').not.toContain('put back')
  })
})
