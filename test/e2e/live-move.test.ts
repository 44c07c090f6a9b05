/**
 * Moves in which the state of a virtual machine travels (M1 to M7, S-92), between two real libvirts. The
 * guest counts seconds on its serial port: one that goes on goes on counting, one that was started anew
 * says that it is ready once more.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { libvirtMissing } from '../../demo/libvirt-host.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

const missing = libvirtMissing()
if (missing !== null) console.warn(`SKIPPED: live and quick moves: ${missing}`)

describe.skipIf(missing !== null)('a virtual machine that moves', () => {
  let demo: Demo
  const params = { cluster: CLUSTER, group: 'vm' }

  beforeAll(async () => {
    demo = await startDemo({ hosts: ['n1', 'n2'], vm: true })
    await demo.addGroup('vm')
    await demo.addVm('vm', 'vm', { attempts: 3, delayMs: 0 })
    await demo.online('vm', 'n1')
    await eventually('the guest is ready', () => boots() === 1, 20_000)
  })
  afterAll(() => endDemo(demo))

  const serial = () => readFileSync(demo.vmSerialLog('vm'), 'utf8')
  const boots = () => serial().split('GUEST-READY').length - 1
  const counted = () => serial().trimEnd().split('\n').length
  const emulator = (host: string) => demo.host(host).options.libvirt?.emulators().get('vm')
  const move = (to: string, method: 'auto' | 'live' | 'quick' | 'stop') =>
    demo.api('moveGroup', { params, body: { to, method } })
  async function goesOn(): Promise<void> {
    const before = counted()
    await eventually('the guest counts on', () => counted() > before + 1, 10_000)
  }

  test('M1, M4: live: it goes on where it was, and its process is on the other host alone', async () => {
    const { epoch } = await demo.group('vm')
    await move('n2', 'live')
    const group = await demo.online('vm', 'n2')
    expect(group.epoch).toBe(epoch + 1)
    expect(emulator('n1')).toBeUndefined()
    expect(emulator('n2')).toBeTypeOf('number')
    await goesOn()
    expect(boots()).toBe(1)
  })

  test('S-92: quick: saved there and restored here', async () => {
    await move('n1', 'quick')
    await demo.online('vm', 'n1')
    expect(emulator('n2')).toBeUndefined()
    await goesOn()
    expect(boots()).toBe(1)
  })

  test('auto takes the best that can be done; stop starts it anew', async () => {
    await move('n2', 'auto')
    await demo.online('vm', 'n2')
    await goesOn()
    expect(boots()).toBe(1)
    await move('n1', 'stop')
    await demo.online('vm', 'n1')
    await eventually('the guest starts anew', () => boots() === 2, 20_000)
  })
})
