/**
 * Resource type `systemd-unit` (S-43, S-44, S-62, S-68; G3 to G5) on a real bus, with a double of
 * systemd that runs real processes in real cgroups.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Sandbox } from '../../../probe/certify/sandbox.ts'
import { forbids } from '../../../probe/guard/policy.ts'
import { unitDropIn } from '../../../probe/os/unit-starts.ts'
import { createSystemdUnit } from '../../../probe/resources/systemd-unit.ts'
import type { HostPolicy } from '../../../schema/host-policy.ts'
import type { Answer, Call, ResourceModule } from '../../../schema/resource-type.ts'
import type { UnitOfTest } from './double.ts'
import { missing, SystemdHost } from './host.ts'

if (missing !== null) process.stderr.write(`skipped: systemd-unit on a bus: ${missing}\n`)

async function until(what: string, met: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await met())) {
    if (performance.now() > end) throw new Error(`in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe.skipIf(missing !== null)('systemd-unit', () => {
  let host: SystemdHost
  let n = 0
  const ends: (() => Promise<void>)[] = []
  beforeAll(async () => {
    host = await SystemdHost.start()
  })
  afterAll(async () => {
    for (const end of ends) await end()
    await host?.end()
  })
  beforeEach(() => host.systemState('running'))

  /** A unit, a module of its own, and what makes calls about it with real starts. */
  async function unit(as: Partial<UnitOfTest> = {}, properties: Record<string, unknown> = {}) {
    n += 1
    const name = `web-${n}.service`
    await host.define(name, { exec: 'exec sleep 1000', ...as })
    return { name, ...withModule(name, properties) }
  }

  function withModule(name: string, properties: Record<string, unknown> = {}, allowed = ['web-*']) {
    const section = host.section(allowed)
    const policy: HostPolicy = { 'systemd-unit': section }
    const module = createSystemdUnit(section) as ResourceModule
    const said: string[] = []
    const sandbox = new Sandbox({
      ...{ module, properties: { unit: name, stopTimeoutMs: 2_000, ...properties } },
      ...{ folder: join(host.folder, `sandbox-${randomUUID()}`), owner: randomUUID() },
      forbids: (spec) => forbids(policy, 'systemd-unit', spec),
      log: (message) => void said.push(message),
    })
    const guid = randomUUID()
    const call = (persistentState: 0 | 1 = 1, signal?: AbortSignal): Call =>
      sandbox.call({ guid, persistentState, ...(signal && { signal }) })
    ends.push(async () => {
      await sandbox.end()
      await module.close?.(call())
    })
    const alive = async (wanted: 0 | 1 = 1): Promise<Answer> =>
      (await module.isAlive([call(wanted)]))[0] as Answer
    const pushed: (Answer & { atMs: number })[] = []
    const watch = () =>
      module.watch?.(call(), (answer) => pushed.push({ ...answer, atMs: performance.now() }))
    return { module, call, alive, pushed, watch, said, sandbox, guid }
  }

  test('S-39: comes online by a job, under the mark of the guard, and is told its epoch', async () => {
    const { name, module, call, alive } = await unit({
      exec: `env > ${host.folder}/env; sleep 1000`,
    })
    await module.validate?.(call())
    await module.open?.(call())
    expect(await alive(0)).toMatchObject({ status: 'offline' })
    await module.online?.(call())
    expect(await alive()).toMatchObject({ status: 'online' })
    expect(host.pids(name).length).toBeGreaterThan(0)
    expect(call().workload.process).not.toBeNull()
    expect(readFileSync(host.mark(name), 'utf8')).toContain('HOLDFAST_EPOCH="1"')
    const { text, path } = unitDropIn(host.section([name]), name)
    expect(readFileSync(path, 'utf8')).toBe(text)
    // Again is success, and changes nothing.
    const before = host.pids(name)
    await module.online?.(call())
    expect(host.pids(name)).toEqual(before)
  })

  test('S-40: offline is systemd’s own stop; then the mark is gone and nobody can start it', async () => {
    const { name, module, call, alive } = await unit({
      exec: `trap "echo asked > ${host.folder}/asked; exit 0" TERM; while :; do sleep 0.01; done`,
    })
    await module.online?.(call())
    await module.offline?.(call(0))
    expect(existsSync(join(host.folder, 'asked'))).toBe(true)
    expect(await alive(0)).toEqual({ guid: call().guid, status: 'offline' })
    expect(existsSync(host.mark(name))).toBe(false)
    host.busctl('StartUnit', 'ss', name, 'replace')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(host.pids(name)).toEqual([])
  })

  test('S-40, S-41: what does not stop is killed after its time, and at once by terminate', async () => {
    const { name, module, call, said } = await unit({ hangs: 'stop' }, { stopTimeoutMs: 200 })
    await module.online?.(call())
    await module.offline?.(call(0))
    expect(host.pids(name)).toEqual([])
    expect(said.join()).toContain('longer than 200 ms')
    await module.online?.(call())
    expect(host.pids(name)).not.toEqual([])
    await module.terminate?.(call(0))
    expect(host.pids(name)).toEqual([])
  })

  test('S-36: a crash is seen at once, with how it ended', async () => {
    const { name, module, call, alive, watch, pushed } = await unit()
    await module.open?.(call())
    watch()
    const took: number[] = []
    for (let round = 0; round < 5; round += 1) {
      await module.online?.(call())
      pushed.length = 0
      const killedAtMs = performance.now()
      for (const pid of host.pids(name)) process.kill(pid, 'SIGKILL')
      await until('the crash is said', () => pushed.length > 0)
      took.push((pushed[0]?.atMs ?? 0) - killedAtMs)
      expect(pushed[0]).toMatchObject({
        status: 'failed',
        detail: 'its main process ended (signal 9), Result=signal',
      })
      expect(await alive()).toMatchObject({ status: 'failed', detail: expect.stringMatching('9') })
    }
    expect(pushed).toHaveLength(1)
    const median = took.sort((a, b) => a - b)[2] ?? 0
    process.stderr.write(`crash of a unit seen by watch: ${median.toFixed(1)} ms (median of 5)\n`)
  })

  test('S-62: an end without a job is a crash, however clean; a restart brings it back', async () => {
    const { name, module, call, watch, pushed } = await unit({ exec: 'sleep 0.2' })
    watch()
    await module.online?.(call())
    await until('its end is said', () => pushed.length > 0)
    expect(pushed[0]).toMatchObject({
      status: 'failed',
      detail: 'its main process ended (exit code 0), and nobody has asked systemd to stop it',
    })
    await module.online?.(call())
    expect(host.pids(name)).not.toEqual([])
  })

  test('S-62, S-68: a stop by an administrator is intent, also where the program then fails', async () => {
    for (const exec of ['sleep 1000', 'trap "exit 143" TERM; while :; do sleep 0.01; done']) {
      const { name, module, call, alive, watch, pushed } = await unit({ exec })
      watch()
      await module.online?.(call())
      host.busctl('StopUnit', 'ss', name, 'replace')
      await until('the stop is said', () => pushed.length > 0)
      expect(pushed).toMatchObject([{ status: 'stopped', detail: /systemctl stop/ }])
      expect(await alive()).toMatchObject({ status: 'stopped' })
      await until('it is off the record', () => call().workload.process === null)
      // Until the cluster has taken note of it, and not longer.
      expect(await alive()).toMatchObject({ status: 'stopped' })
      expect(await alive(0)).toMatchObject({ status: 'offline' })
      await module.online?.(call())
      expect(await alive()).toMatchObject({ status: 'online' })
    }
  })

  test('a restart by an administrator is neither: it runs again, and is still on record', async () => {
    const { name, module, call, alive, watch, pushed } = await unit()
    watch()
    await module.online?.(call())
    const [before] = host.pids(name)
    host.busctl('RestartUnit', 'ss', name, 'replace')
    await until('it is another process', () => host.pids(name).some((pid) => pid !== before))
    await until('it is online', async () => (await alive()).status === 'online')
    expect(pushed).toEqual([])
    await module.terminate?.(call(0))
    expect(host.pids(name)).toEqual([])
  })

  test('a stop while the host itself goes down is no intent', async () => {
    const { name, module, call, alive, watch, pushed } = await unit()
    watch()
    await module.online?.(call())
    await host.systemState('stopping')
    host.busctl('StopUnit', 'ss', name, 'replace')
    await until('the stop is said', () => pushed.length > 0)
    expect(pushed[0]).toMatchObject({ status: 'offline' })
    expect(await alive()).toMatchObject({ status: 'offline' })
  })

  test('the bus is gone: unknown, not dead; and back', async () => {
    const { name, module, call, alive, watch, pushed, said } = await unit()
    watch()
    await module.online?.(call())
    const before = host.pids(name)
    await host.endBus()
    expect(await alive()).toMatchObject({ status: 'unknown', detail: /systemd cannot be asked/ })
    expect(pushed).toEqual([])
    await host.startBus()
    await until('it is asked again', async () => (await alive()).status === 'online')
    expect(host.pids(name)).toEqual(before)
    // What it says by itself is heard again too.
    for (const pid of before) process.kill(pid, 'SIGKILL')
    await until('the crash is said', () => pushed.length > 0)
    await module.online?.(call())
    await host.endBus()
    await module.offline?.(call(0))
    expect(host.pids(name)).toEqual([])
    expect(said.join()).toContain('It is killed.')
    await host.startBus()
    await until('the double is back', async () => (await alive(0)).status === 'offline')
  })

  test.each([
    ['failed', /has not come up \(job: failed\): its main process ended \(exit code 203\)/],
    ['timeout', /JobTimeoutSec=/],
    ['dependency', /requires has not come up/],
    ['canceled', /cancelled by another job/],
  ])('a job that ends with %s has failed, and leaves nothing permitted', async (jobResult, why) => {
    const { name, module, call } = await unit({ jobResult })
    await expect(module.online?.(call())).rejects.toThrow(why)
    expect(call().workload.process).toBeNull()
    expect(existsSync(host.mark(name))).toBe(false)
  })

  test('a job that hangs is waited for until the call is given up; then nothing of it is left', async () => {
    const { name, module, call, said } = await unit({ hangs: 'start' })
    const given = AbortSignal.timeout(300)
    await expect(module.online?.(call(1, given))).rejects.toThrow()
    // Each step that systemd tells of restarts the pending timeout.
    expect(said).toContain(`${name}: start`)
    expect(host.pids(name)).not.toEqual([])
    await module.terminate?.(call(0))
    expect(host.pids(name)).toEqual([])
    expect(existsSync(host.mark(name))).toBe(false)
  })

  test('what runs by another hand is taken over where it is wanted, and reported where it is not', async () => {
    const { name, module, call, alive } = await unit()
    host.busctl('StartUnit', 'ss', name, 'replace')
    await until('it runs', () => host.pids(name).length > 0)
    expect(await alive(0)).toMatchObject({ status: 'online' })
    expect(await alive(1)).toMatchObject({ status: 'offline', detail: /taken over/ })
    const before = host.pids(name)
    await module.online?.(call())
    expect(await alive()).toMatchObject({ status: 'online' })
    expect(host.pids(name)).toEqual(before)
  })

  test('it is ended where it was never on record, too', async () => {
    const { name, module, call } = await unit({ hangs: 'stop' }, { stopTimeoutMs: 100 })
    host.busctl('StartUnit', 'ss', name, 'replace')
    await until('it runs', () => host.pids(name).length > 0)
    await module.open?.(call())
    await module.offline?.(call(0))
    await until('it is gone', () => host.pids(name).length === 0)
  })

  describe('what the cluster cannot have is refused, with the fix', () => {
    test.each<[string, Partial<UnitOfTest>, RegExp]>([
      ['Restart=always', { restart: 'always' }, /Restart=no.*&& systemctl daemon-reload/],
      ['enabled', { fileState: 'enabled' }, /systemctl disable web-/],
      ['wanted', { wantedBy: ['x.target'] }, /started by x\.target: .*systemctl daemon-reload/],
      ['oneshot', { type: 'oneshot' }, /Use type script or ocf/],
      ['RemainAfterExit', { remains: true }, /RemainAfterExit=no/],
      ['masked', { loadState: 'masked' }, /systemctl unmask web-/],
      ['not loaded', { loadState: 'bad-setting' }, /systemd-analyze verify web-/],
      ['an alias', { id: 'other.service' }, /another name of other\.service/],
      ['a missing one', { loadState: 'not-found' }, /there is no unit web-.*: install/],
    ])('%s', async (_, as, why) => {
      const { module, call, name } = await unit(as)
      await expect(module.validate?.(call())).rejects.toThrow(why)
      // Again before each Online: it may have been changed since.
      await expect(module.online?.(call())).rejects.toThrow(why)
      expect(host.pids(name)).toEqual([])
      expect(call().workload.process).toBeNull()
    })

    test('a socket or timer that starts it, while that is armed', async () => {
      await host.define('web.socket', { exec: '', armed: true })
      await host.define('web.timer', { exec: '', fileState: 'enabled' })
      await host.define('idle.path', { exec: '' })
      const armed = await unit({ triggeredBy: ['web.socket', 'idle.path', 'web.timer'] })
      const why = /systemctl disable --now web\.socket web\.timer$/
      await expect(armed.module.validate?.(armed.call())).rejects.toThrow(why)
      const idle = await unit({ triggeredBy: ['idle.path'] })
      await idle.module.validate?.(idle.call())
    })

    test('S-44: what comes of it later is said, and nothing is restarted', async () => {
      const { name, module, call } = await unit()
      await module.online?.(call())
      await host.define(name, { exec: 'sleep 1000', restart: 'on-failure' })
      expect(await module.looksAlive([call()])).toMatchObject([
        { status: 'online', degraded: true, detail: /Restart=on-failure/ },
      ])
    })

    test('one that the policy does not name, by module and guard', async () => {
      const { module, call } = withModule('db.service')
      await expect(module.validate?.(call())).rejects.toThrow(
        "hostPolicy: this host's policy does not allow unit db.service",
      )
      await host.define('db.service', { exec: 'sleep 1000' })
      await expect(module.online?.(call())).rejects.toThrow(/hostPolicy: .*unit db\.service/)
      expect(host.pids('db.service')).toEqual([])
    })

    test('G4: one of which systemd does not look at the mark', async () => {
      const { module, call, name } = await unit({ resetsAsserts: true })
      await expect(module.online?.(call())).rejects.toThrow(/systemctl cat web-/)
      expect(host.pids(name)).toEqual([])
    })

    test('a unit that another resource has on this host', async () => {
      const { module, call, sandbox } = await unit()
      await module.open?.(call())
      const other = sandbox.call({ guid: randomUUID(), persistentState: 1 })
      await expect(module.open?.(other)).rejects.toThrow(/belongs to another resource/)
    })

    test('a host without systemd, and one on which it cannot be asked', async () => {
      const { module, call } = await unit()
      await host.endBus()
      await expect(module.validate?.(call())).rejects.toThrow(/systemd cannot be asked/)
      await host.startBus()
      await until('it is there again', async () => {
        const [answer] = await module.isAlive([call(0)])
        return answer?.status === 'offline'
      })
      rmSync(join(host.runFolder, 'systemd'), { recursive: true })
      await expect(module.validate?.(call())).rejects.toThrow(/not booted with systemd/)
    })
  })
})
