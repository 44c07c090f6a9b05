import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  DOMAIN,
  LibvirtClient,
  LibvirtError,
  LibvirtGone,
  LibvirtTimeout,
  type LifecycleEvent,
} from '../../../probe/libvirt/client.ts'
import {
  endTestHost,
  guestSays,
  missing,
  startTestHost,
  type TestHost,
  tinyVm,
  until,
} from './hosts.ts'

describe.skipIf(missing !== null)('libvirt by its own protocol', () => {
  let host: TestHost
  let client: LibvirtClient
  const events: LifecycleEvent[] = []

  beforeAll(async () => {
    host = await startTestHost()
    client = new LibvirtClient(host.socket)
    client.onLifecycle((event) => events.push(event))
  }, 30_000)
  afterAll(async () => {
    client?.close()
    await endTestHost(host)
  })

  test('S-46: a domain is defined, found, started, asked, stopped and forgotten', async () => {
    const vm = tinyVm(host, 'rpc')
    expect(await client.lookup('rpc')).toBeNull()
    const domain = await client.define(vm.xml)
    expect(domain).toEqual({ name: 'rpc', uuid: vm.guid, id: -1 })
    expect((await client.state(domain)).state).toBe(DOMAIN.shutoff)
    await client.create(domain)
    expect((await client.state(domain)).state).toBe(DOMAIN.running)
    await client.reachQemu(domain)
    await guestSays(vm, 'GUEST-READY\n')
    expect(await client.monitorCommand(domain, '{"execute":"query-status"}')).toContain('running')
    await client.destroy(domain)
    await client.undefine(domain)
    expect(await client.lookup('rpc')).toBeNull()
    const seen = events.filter((e) => e.domain.name === 'rpc').map((e) => [e.event, e.detail])
    // Defined, resumed and started, shut down by the host, stopped by destroy, undefined.
    expect(seen).toEqual([
      [0, 0],
      [4, 0],
      [2, 0],
      [6, 2],
      [5, 1],
      [1, 0],
    ])
  }, 30_000)

  test('a refusal has a code, a domain and a message', async () => {
    const error = await client.define('<domain type="qemu"/>').catch((e: unknown) => e)
    expect(error).toBeInstanceOf(LibvirtError)
    expect(error).toMatchObject({ code: expect.any(Number), domain: expect.any(Number) })
    expect(String(error)).toContain('LibvirtError: ')
  })

  test('S-27: a call that reaches QEMU ends at its deadline when QEMU hangs; libvirt says "running"', async () => {
    const vm = tinyVm(host, 'hang')
    const domain = await client.define(vm.xml)
    await client.create(domain)
    const pid = host.emulators().get('hang') ?? -1
    process.kill(pid, 'SIGSTOP')
    const before = performance.now()
    await expect(client.reachQemu(domain, { timeoutMs: 300 })).rejects.toThrow(LibvirtTimeout)
    expect(performance.now() - before).toBeLessThan(1_000)
    expect((await client.state(domain)).state).toBe(DOMAIN.running)
    expect((await client.control(domain)).state).toBe(2)
    process.kill(pid, 'SIGCONT')
    await until(async () => (await client.control(domain)).state === 0, 5_000, 'still busy')
    await client.reachQemu(domain, { timeoutMs: 1_000 })
    process.kill(pid, 'SIGKILL')
  }, 30_000)

  test('the daemon dies: what waits is rejected at once, the next call connects again', async () => {
    const vm = tinyVm(host, 'gone')
    const domain = await client.define(vm.xml)
    await client.create(domain)
    const pid = host.emulators().get('gone') ?? -1
    process.kill(pid, 'SIGSTOP')
    const waits = client.reachQemu(domain, { timeoutMs: 20_000 }).catch((e: unknown) => e)
    await client.state(domain)
    const before = performance.now()
    await host.kill()
    expect(await waits).toBeInstanceOf(LibvirtGone)
    expect(performance.now() - before).toBeLessThan(1_000)
    await expect(client.state(domain)).rejects.toThrow(LibvirtGone)
    process.kill(pid, 'SIGCONT')
    await host.start()
    await until(
      async () => (await client.state(domain)).state === DOMAIN.running,
      5_000,
      'the domain was not found again',
    )
    process.kill(pid, 'SIGKILL')
  }, 30_000)

  test('an aborted call ends, and many calls at once get their own answers', async () => {
    await expect(client.lookup('x', { signal: AbortSignal.abort() })).rejects.toThrow(
      LibvirtTimeout,
    )
    const domains = await Promise.all(
      ['a1', 'a2', 'a3'].map((n) => client.define(tinyVm(host, n).xml)),
    )
    const names = Array.from({ length: 300 }, (_, i) => `a${(i % 4) + 1}`)
    const found = await Promise.all(names.map((name) => client.lookup(name)))
    expect(found.map((d) => d?.uuid)).toEqual(names.map((n) => domains[Number(n[1]) - 1]?.uuid))
  })

  test('price of one IsAlive: state and a question to QEMU', async () => {
    const domain = await client.define(tinyVm(host, 'price').xml)
    await client.create(domain)
    const cpu = process.cpuUsage()
    const times: number[] = []
    for (let i = 0; i < 300; i++) {
      const before = performance.now()
      await client.state(domain)
      await client.reachQemu(domain)
      times.push(performance.now() - before)
    }
    const used = process.cpuUsage(cpu)
    times.sort((a, b) => a - b)
    const cpuMs = (used.user + used.system) / 1000 / times.length
    console.log(
      `IsAlive: p50 ${times[150]?.toFixed(2)} ms, p99 ${times[297]?.toFixed(2)} ms, ` +
        `own CPU ${cpuMs.toFixed(3)} ms`,
    )
    process.kill(host.emulators().get('price') ?? -1, 'SIGKILL')
  }, 30_000)
})
