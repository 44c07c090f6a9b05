/** S-62, S-68: libvirt's own tools stop a virtual machine while the control plane is away (`standard`). */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { killPid } from '../../demo/host.ts'
import { libvirtMissing } from '../../demo/libvirt-host.ts'
import { DOMAIN, type Domain, LibvirtClient } from '../../probe/libvirt/client.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

const missing = libvirtMissing()
if (missing !== null) console.warn(`SKIPPED: local stops of a virtual machine: ${missing}`)

describe.skipIf(missing !== null)('virsh destroy while cut off', () => {
  let demo: Demo
  let libvirt: LibvirtClient
  let domain: Domain
  beforeAll(async () => {
    demo = await startDemo({ hosts: ['n1'], vm: true, profile: 'standard' })
    await demo.addGroup('vm')
    await demo.addVm('vm', 'vm', { attempts: 1_000, delayMs: 0 })
    await demo.online('vm')
    libvirt = new LibvirtClient(demo.host('n1').options.libvirt?.socket as string)
    domain = (await libvirt.lookup('vm')) as Domain
  })
  afterAll(async () => {
    libvirt?.close()
    await endDemo(demo)
  })

  const runs = async () => (await libvirt.state(domain)).state === DOMAIN.running
  const wanted = async () => (await demo.group('vm')).resources[0]?.persistentState

  test('it stays off, whatever of the probe is restarted, and the hive has it afterwards', async () => {
    const host = demo.host('n1')
    const workerd = demo.control.workerdPid() as number
    process.kill(workerd, 'SIGSTOP')
    try {
      await libvirt.destroy(domain, { timeoutMs: 15_000 })
      await eventually('noted on the host', async () => {
        const info = (await host.status())?.agent.info as { localStops?: string[] } | null
        return info?.localStops?.length === 1
      })
      const { agent, rhs } = host.treePids()
      killPid(agent as number)
      killPid(rhs as number)
      await sleep(1_500)
      expect(await runs()).toBe(false)
    } finally {
      process.kill(workerd, 'SIGCONT')
    }
    await eventually('the hive has it', async () => (await wanted()) === 0, 20_000)
    await sleep(1_500)
    expect(await runs()).toBe(false)
    // From now on the hive counts again.
    await demo.api('onlineGroup', { params: { cluster: CLUSTER, group: 'vm' } })
    await demo.online('vm')
    expect(await runs()).toBe(true)
  })
})
