import { execFile, spawnSync } from 'node:child_process'
import { renameSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { identityOf } from '../../../probe/gate/proc.ts'
import { DOMAIN, LibvirtClient, LibvirtError } from '../../../probe/libvirt/client.ts'
import { createVirtualMachine } from '../../../probe/resources/virtual-machine.ts'
import type { Answer } from '../../../schema/resource-type.ts'
import {
  callOf,
  EMULATOR,
  endTestHost,
  guestSays,
  missing,
  readOr,
  startTestHost,
  type TestHost,
  tinyVm,
  until,
} from './hosts.ts'

describe.skipIf(missing !== null)('virtual-machine on a real libvirt', () => {
  let host: TestHost
  let admin: LibvirtClient
  let module: ReturnType<typeof createVirtualMachine>
  let stopping = false

  beforeAll(async () => {
    host = await startTestHost()
    admin = new LibvirtClient(host.socket)
    module = createVirtualMachine({
      paths: ['/*'],
      socket: host.socket,
      gate: host.gate,
      answerMs: 300,
      hungMs: 900,
      hostStopping: async () => stopping,
    })
    // libvirt probes a new emulator once; no test should pay for it.
    await admin.define(tinyVm(host, 'first').xml.replace(EMULATOR, host.gate))
  })
  afterEach(() => {
    stopping = false
    host.guard.permitted.clear()
    for (const pid of host.emulators().values()) process.kill(pid, 'SIGKILL')
  })
  afterAll(async () => {
    admin?.close()
    await endTestHost(host)
  })

  const alive = async (call: ReturnType<typeof callOf>) => (await module.isAlive([call]))[0]
  const looks = async (call: ReturnType<typeof callOf>) => (await module.looksAlive([call]))[0]

  async function running(name: string, change: Parameters<typeof callOf>[2] = {}) {
    const vm = tinyVm(host, name)
    const call = callOf(host, vm, change)
    await module.open?.(call)
    const answers: { answer: Answer; atMs: number }[] = []
    const unwatch = module.watch?.(call, (answer) =>
      answers.push({ answer, atMs: performance.now() }),
    )
    await module.online?.(call)
    const pid = host.guard.running.get(name)?.pid ?? -1
    const domain = await admin.lookup(name)
    if (domain === null) throw new Error('not defined')
    const told = async () => {
      await until(() => answers.length > 0, 5_000, 'nothing was pushed')
      return answers[0] as (typeof answers)[number]
    }
    const end = async () => {
      unwatch?.()
      await module.terminate?.(call)
      await module.close?.(call)
    }
    return { vm, call, pid, domain, answers, told, end }
  }

  test('S-39, G4: online through the gate, with the pid the guard knows; again is success', async () => {
    const { vm, call, pid, end } = await running('on')
    expect(host.emulators().get('on')).toBe(pid)
    await guestSays(vm, 'GUEST-READY\n')
    expect(await alive(call)).toEqual({ guid: vm.guid, status: 'online' })
    await module.online?.(call)
    expect(host.guard.running.get('on')?.pid).toBe(pid)
    await end()
  })

  test('G3: without a record libvirt cannot start it, and the failed online leaves no record', async () => {
    const vm = tinyVm(host, 'no')
    const call = callOf(host, vm)
    const denied = {
      ...call,
      workload: { ...call.workload, process: null, permitGate: async () => undefined },
    }
    await module.open?.(denied)
    await expect(module.online?.(denied)).rejects.toThrow(/refused: no grant for this start/)
    expect(host.guard.permitted.has('no')).toBe(false)
    expect(await alive(denied)).toMatchObject({ status: 'offline' })
    // Nor can an administrator: the definition stays, and the gate stands in it.
    const domain = await admin.lookup('no')
    await expect(admin.create(domain ?? never())).rejects.toThrow(LibvirtError)
    await module.close?.(denied)
  })

  test('S-39: a domain of that name with another UUID is not ours to touch', async () => {
    const foreign = await admin.define(tinyVm(host, 'foreign').xml)
    const call = callOf(host, tinyVm(host, 'foreign'))
    await expect(module.online?.(call)).rejects.toThrow(/another domain "foreign"/)
    expect(await admin.lookup('foreign')).toEqual(foreign)
    expect(await alive(call)).toMatchObject({ status: 'offline' })
    await module.close?.(call)
  })

  test('G2: a domain that runs past the guard is refused, and terminate ends it', async () => {
    const vm = tinyVm(host, 'past')
    await admin.create(await admin.define(vm.xml))
    const call = callOf(host, vm)
    await expect(module.online?.(call)).rejects.toThrow(/runs, but not by this host's guard/)
    await module.terminate?.(call)
    expect(host.emulators().has('past')).toBe(false)
    await module.close?.(call)
  }, 20_000)

  test('S-40: offline shuts the guest down, and is never reported as "stopped"', async () => {
    const { vm, call, pid, answers, end } = await running('off')
    await guestSays(vm, 'GUEST-READY\n')
    const before = performance.now()
    await module.offline?.(call)
    console.log(`offline: ${(performance.now() - before).toFixed(0)} ms`)
    expect(readOr(vm.serialLog)).toContain('GUEST-OFF\n')
    expect(identityOf(pid)).toBeNull()
    await until(async () => (await alive(call))?.status === 'offline', 2_000, 'not offline')
    expect(answers).toEqual([])
    await end()
  })

  test('S-40, S-41: a guest that does not shut down is killed after its time', async () => {
    const { call, pid, end } = await running('deaf', { shutdownTimeoutMs: 300 })
    process.kill(pid, 'SIGSTOP')
    const before = performance.now()
    await module.offline?.(call)
    expect(performance.now() - before).toBeLessThan(8_000)
    expect(identityOf(pid)).toBeNull()
    await end()
  }, 20_000)

  test('S-41: terminate kills at once, also a QEMU that hangs', async () => {
    const { call, pid, answers, end } = await running('hung')
    process.kill(pid, 'SIGSTOP')
    const before = performance.now()
    await module.terminate?.(call)
    console.log(`terminate of a hung QEMU: ${(performance.now() - before).toFixed(0)} ms`)
    expect(identityOf(pid)).toBeNull()
    expect(await alive(call)).toMatchObject({ status: 'offline' })
    await module.online?.(call)
    expect(await alive(call)).toMatchObject({ status: 'online' })
    expect(answers).toEqual([])
    await end()
  }, 20_000)

  test('S-43: a QEMU that hangs is not online: first unknown, then failed; and back', async () => {
    const { call, pid, end } = await running('freeze')
    process.kill(pid, 'SIGSTOP')
    const before = performance.now()
    expect(await alive(call)).toMatchObject({
      status: 'unknown',
      detail: expect.stringMatching(/has not answered/),
    })
    expect(performance.now() - before).toBeLessThan(600)
    await until(async () => (await alive(call))?.status === 'failed', 3_000, 'not failed')
    process.kill(pid, 'SIGCONT')
    await until(async () => (await alive(call))?.status === 'online', 3_000, 'not online')
    await end()
  })

  test('S-27, S-43: several are asked about at once, and one that hangs is the only one that does', async () => {
    const vms = [await running('one'), await running('two'), await running('three')]
    const calls = vms.map((vm) => vm.call)
    const statuses = async () => (await module.isAlive(calls)).map((answer) => answer.status)
    for (let n = 0; n < 8; n += 1) expect(await statuses()).toEqual(['online', 'online', 'online'])
    process.kill(vms[1]?.pid as number, 'SIGSTOP')
    await until(async () => (await statuses())[1] === 'failed', 3_000, 'not failed')
    expect(await statuses()).toEqual(['online', 'failed', 'online'])
    process.kill(vms[1]?.pid as number, 'SIGCONT')
    await until(async () => (await statuses())[1] === 'online', 3_000, 'not online')
    await admin.destroy(vms[0]?.domain as never)
    expect((await statuses()).slice(1)).toEqual(['online', 'online'])
    expect((await statuses())[0]).toBe('stopped')
    for (const vm of vms) await vm.end()
  }, 30_000)

  test('M4, S-86: a copy goes on before it gets its note; one that has gone on gets it from a later monitor too', async () => {
    const { call, domain, end } = await running('copy')
    const resume = { mid: 'm1', method: 'live' as const }
    const came = { ...call, resume }
    const step = { step: 'open', status: 'offline', atMs: 1, reason: 'r' } as const
    const note = async (text: string) => (await admin.description(domain)).includes(text)
    await admin.suspend(domain)
    expect(await alive(came)).toMatchObject({ status: 'offline' })
    await module.notify?.(came, { ...step, reason: 'while it waits' })
    expect(await note('while it waits')).toBe(false)
    await module.online?.(came)
    expect(await admin.state(domain)).toMatchObject({ state: DOMAIN.running })
    expect(await alive(came)).toMatchObject({ status: 'online' })
    await module.notify?.(came, { ...step, reason: 'it goes on' })
    expect(await note('it goes on')).toBe(true)
    await module.close?.(came)
    await module.open?.(came)
    expect(await alive(came)).toMatchObject({ status: 'online' })
    await module.notify?.(came, { ...step, reason: 'a later monitor' })
    expect(await note('a later monitor')).toBe(true)
    await end()
  }, 20_000)

  test('S-36: kill -9 of QEMU is told in milliseconds, and the restart is Online', async () => {
    const { call, pid, told, end, answers } = await running('crash')
    const before = performance.now()
    process.kill(pid, 'SIGKILL')
    const { answer, atMs } = await told()
    console.log(`kill -9 -> ${answer.status}: ${(atMs - before).toFixed(1)} ms`)
    expect(answer).toMatchObject({ status: 'offline', detail: expect.stringMatching(/./) })
    expect(atMs - before).toBeLessThan(500)
    const restart = performance.now()
    await module.online?.(call)
    console.log(`restart: ${(performance.now() - restart).toFixed(0)} ms`)
    expect(await alive(call)).toMatchObject({ status: 'online' })
    expect(answers).toHaveLength(1)
    await end()
  })

  test('S-62: an administrator destroys it: stopped, by push and by poll', async () => {
    const { call, domain, told, end } = await running('destroy')
    await admin.destroy(domain)
    expect((await told()).answer).toMatchObject({
      status: 'stopped',
      detail: expect.stringMatching(/administrator/),
    })
    expect(await alive(call)).toMatchObject({ status: 'stopped' })
    await end()
  })

  test('S-62: a shutdown from inside is stopped, or to be restarted, as its property says', async () => {
    for (const [name, onGuestShutdown, status] of [
      ['inside1', 'stop', 'stopped'],
      ['inside2', 'restart', 'offline'],
    ] as const) {
      const { vm, domain, told, end } = await running(name, { onGuestShutdown })
      await guestSays(vm, 'GUEST-READY\n')
      await admin.shutdown(domain)
      expect((await told()).answer.status).toBe(status)
      await end()
    }
  }, 20_000)

  test("S-62: SIGTERM to QEMU, and a host that goes down, are nobody's intent", async () => {
    const term = await running('term')
    process.kill(term.pid, 'SIGTERM')
    expect((await term.told()).answer).toMatchObject({
      status: 'offline',
      detail: expect.stringMatching(/signal|ended/),
    })
    await term.end()
    const down = await running('down')
    stopping = true
    await admin.destroy(down.domain)
    expect((await down.told()).answer.status).toBe('offline')
    await down.end()
  }, 20_000)

  test('M5: saved by an administrator: stopped; Online boots cold and never wakes the saved state', async (ctx) => {
    ctx.skip(spawnSync('virsh', ['-v']).status !== 0, 'virsh is not installed')
    const { vm, call, told, end } = await running('saved')
    await guestSays(vm, 'GUEST-READY\n')
    await promisify(execFile)('virsh', ['-c', virshUri(host), 'managedsave', 'saved'])
    expect((await told()).answer).toMatchObject({
      status: 'stopped',
      detail: expect.stringMatching(/saved/),
    })
    await call.workload.stop()
    await module.online?.(call)
    expect(host.guard.asks.at(-1)).toMatchObject({ gateName: 'saved', incoming: false })
    await guestSays(vm, 'GUEST-READY\n', 2)
    await end()
  })

  test('G4: the gate is told that a saved guest comes in', async (ctx) => {
    ctx.skip(spawnSync('virsh', ['-v']).status !== 0, 'virsh is not installed')
    const { call, end } = await running('wake')
    const virsh = (verb: string) =>
      promisify(execFile)('virsh', ['-c', virshUri(host), verb, 'wake'])
    await virsh('managedsave')
    await virsh('start')
    expect(host.guard.asks.at(-1)).toMatchObject({ gateName: 'wake', incoming: true })
    expect(await alive(call)).toMatchObject({ status: 'online' })
    await end()
  })

  test('S-44: a disk that is moved away is found, though QEMU runs', async () => {
    const { vm, call, end } = await running('disk')
    expect(await looks(call)).toEqual({ guid: vm.guid, status: 'online' })
    renameSync(vm.image, `${vm.image}.away`)
    expect(await looks(call)).toMatchObject({
      status: 'failed',
      detail: expect.stringMatching(/disk\.img.*ENOENT/),
    })
    expect(await alive(call)).toMatchObject({ status: 'online' })
    renameSync(`${vm.image}.away`, vm.image)
    expect(await looks(call)).toMatchObject({ status: 'online' })
    await end()
  })

  test('S-44, G4: a definition without the gate, and autostart, are put back', async () => {
    const { vm, call, domain, end } = await running('edit')
    await admin.define(vm.xml)
    await admin.setAutostart(domain, true)
    const answer = await looks(call)
    expect(answer).toMatchObject({
      status: 'online',
      detail: expect.stringMatching(/emulator is .*autostart was on/),
    })
    expect(await admin.definition(domain)).toContain(`<emulator>${host.gate}</emulator>`)
    expect(await looks(call)).toEqual({ guid: vm.guid, status: 'online' })
    await end()
  })

  test('S-58: its module says what runs and what is defined; a new definition follows, what runs stays', async () => {
    const { vm, call, pid, end } = await running('set')
    const settings = async () =>
      (await module.control?.(call, 'settings', {})) as { running: string; defined: string }
    expect((await settings()).running).toContain("<memory unit='KiB'>2048</memory>")
    const properties = { ...call.properties, xml: vm.xml.replace('>2<', '>4<') }
    const changed = { ...call, properties }
    expect(await looks(changed)).toMatchObject({
      status: 'online',
      detail: expect.stringMatching(/follows the cluster's, for the next start: memoryBytes is/),
    })
    expect(await looks(changed)).toEqual({ guid: vm.guid, status: 'online' })
    const now = await settings()
    expect(now.defined).toContain('>4096</memory>')
    expect(now.running).toContain('>2048</memory>')
    expect(host.guard.running.get('set')?.pid).toBe(pid)
    await module.terminate?.(call)
    expect(await settings()).toMatchObject({ running: null })
    await end()
  })

  test('a monitor that meets XML that is none leaves what runs alone, and what is defined', async () => {
    const { vm, call, pid, domain, end } = await running('slip')
    const options = { paths: ['/*'], socket: host.socket, gate: host.gate }
    const next = createVirtualMachine(options)
    const bad = { ...call, properties: { ...call.properties, xml: vm.xml.replace('</os>', '') } }
    await next.open?.(bad)
    expect(await next.looksAlive([bad])).toMatchObject([
      {
        ...{ status: 'online', degraded: true },
        detail: expect.stringMatching(/could not be started again: .*not well-formed/),
      },
    ])
    expect(host.guard.running.get('slip')?.pid).toBe(pid)
    expect(await admin.definition(domain)).toContain('>2048</memory>')
    await next.terminate?.(bad)
    await expect(next.online?.(bad)).rejects.toThrow(/not well-formed/)
    await next.close?.(bad)
    await end()
  })

  test('DESIGN 5: libvirtd is gone: unknown, nothing is pushed; back: online, events come', async () => {
    const { call, pid, domain, answers, told, end } = await running('daemon')
    await host.kill()
    expect(await alive(call)).toMatchObject({ status: 'unknown' })
    expect(answers).toEqual([])
    await host.start()
    await until(async () => (await alive(call))?.status === 'online', 5_000, 'not online again')
    expect(host.guard.running.get('daemon')?.pid).toBe(pid)
    await admin.destroy(domain)
    expect((await told()).answer.status).toBe('stopped')
    await end()
  }, 20_000)

  test("QEMU dies while libvirtd is gone: the guard's word is enough", async () => {
    const { call, pid, told, end } = await running('both')
    await host.kill()
    process.kill(pid, 'SIGKILL')
    expect((await told()).answer.status).toBe('offline')
    await host.start()
    await until(async () => (await alive(call))?.status === 'offline', 10_000, 'not offline')
    await end()
  }, 30_000)
})

function virshUri(host: TestHost): string {
  return `qemu+unix:///system?socket=${host.socket}`
}

function never(): never {
  throw new Error('not defined')
}
