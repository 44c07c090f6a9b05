/** G10, S-62: virtual machines over the loss of what the probe knows of them (profile `standard`). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Demo } from '../../demo/cluster.ts'
import { killPid } from '../../demo/host.ts'
import { libvirtMissing } from '../../demo/libvirt-host.ts'
import { DOMAIN, type Domain, LibvirtClient } from '../../probe/libvirt/client.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

const missing = libvirtMissing()
if (missing !== null) console.warn(`SKIPPED: review of virtual machines: ${missing}`)

describe.skipIf(missing !== null)('what the probe forgets', () => {
  let demo: Demo
  beforeAll(async () => {
    demo = await startDemo({ hosts: ['n1', 'n2'], vm: true, profile: 'standard' })
    await demo.addGroup('vm')
    await demo.addVm('vm', 'vm', { attempts: 1_000, delayMs: 0 })
    await demo.online('vm')
  })
  afterAll(() => endDemo(demo))

  const wanted = async () => (await demo.group('vm')).resources[0]?.persistentState

  test('S-62: destroyed by an administrator while the resource monitor is being restarted', async () => {
    const { owner } = await demo.group('vm')
    const host = demo.host(owner as string)
    const libvirt = new LibvirtClient(host.options.libvirt?.socket as string)
    const domain = (await libvirt.lookup('vm')) as Domain
    killPid(host.treePids().rhs as number)
    await libvirt.destroy(domain, { timeoutMs: 15_000 })
    await sleep(4_000)
    const { state } = await libvirt.state(domain)
    libvirt.close()
    expect({ running: state === DOMAIN.running, wanted: await wanted() }).toEqual({
      running: false,
      wanted: 0,
    })
  })

  test('G10: a guard without its file leaves no virtual machine running that nobody is responsible for', async () => {
    if ((await wanted()) === 0)
      await demo.api('onlineGroup', { params: { cluster: 'demo', group: 'vm' } } as never)
    await demo.online('vm')
    const { owner, epoch } = await demo.group('vm')
    const host = demo.host(owner as string)
    const pid = host.options.libvirt?.emulators().get('vm')
    expect(pid).toBeDefined()
    host.killWithoutRunner()
    await sleep(100)
    writeFileSync(join(host.runFolder, 'guard.json'), '{"damaged":')
    host.start()
    // Its groups are given away once its lease has surely ended.
    await eventually('freed', async () => (await demo.group('vm')).epoch > epoch, 30_000)
    await sleep(8_000)
    expect(host.options.libvirt?.emulators().get('vm')).toBeUndefined()
  })
})
