/** Resource type `systemd-unit` with systemd itself, where it is what this host was booted with. */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Sandbox } from '../../../probe/certify/sandbox.ts'
import { forbids } from '../../../probe/guard/policy.ts'
import { cgroupMount, inTree } from '../../../probe/os/cgroup-tree.ts'
import { unitDropIn } from '../../../probe/os/unit-starts.ts'
import { createSystemdUnit } from '../../../probe/resources/systemd-unit.ts'
import type { Answer, ResourceModule } from '../../../schema/resource-type.ts'

const first = readFileSync('/proc/1/comm', 'utf8').trim()
const missing =
  first === 'systemd'
    ? process.getuid?.() === 0
      ? null
      : 'missing: root'
    : `missing: systemd as process 1 (it is ${first})`
/** One skipped test with its reason, where it cannot run. */
const whereItRuns = (name: string, suite: () => void) =>
  missing === null ? describe(name, suite) : test(name, ({ skip }) => skip(missing))

whereItRuns('systemd itself', () => {
  const unit = `holdfast-test-${process.pid}.service`
  const file = `/run/systemd/system/${unit}`
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-real-systemd-'))
  const section = { units: [unit] }
  const module = createSystemdUnit(section) as ResourceModule
  const guid = randomUUID()
  let sandbox: Sandbox
  const systemctl = (...args: string[]) => execFileSync('systemctl', args, { stdio: 'pipe' })
  const define = (more = '') => {
    writeFileSync(file, `[Service]\nExecStart=/bin/sleep 1000\n${more}`)
    systemctl('daemon-reload')
  }
  const pids = () => inTree(join(cgroupMount() ?? '', 'system.slice', unit))
  const call = (persistentState: 0 | 1 = 1) => sandbox.call({ guid, persistentState })
  const alive = async () => (await module.isAlive([call()]))[0] as Answer
  const pushed: Answer[] = []
  async function until(what: string, met: () => boolean): Promise<void> {
    const end = performance.now() + 10_000
    while (!met()) {
      if (performance.now() > end) throw new Error(`in vain: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  beforeAll(() => {
    define()
    sandbox = new Sandbox({
      ...{ module, properties: { unit }, folder, owner: randomUUID(), log: () => {} },
      forbids: (spec) => forbids({ 'systemd-unit': section }, 'systemd-unit', spec),
    })
  })
  afterAll(async () => {
    await sandbox?.end()
    await module.close?.(call())
    rmSync(file, { force: true })
    rmSync(join(unitDropIn(section, unit).path, '..'), { recursive: true, force: true })
    systemctl('daemon-reload')
    rmSync(folder, { recursive: true, force: true })
  })

  test('S-39 to S-41, S-62: started under the mark; crash, stop by hand, and the guard’s end', async () => {
    await module.validate?.(call())
    await module.open?.(call())
    module.watch?.(call(), (answer) => pushed.push(answer))
    await module.online?.(call())
    expect(await alive()).toMatchObject({ status: 'online' })
    expect(pids()).toHaveLength(1)
    process.kill(pids()[0] as number, 'SIGKILL')
    await until('the crash is said', () => pushed.length === 1)
    expect(pushed[0]).toMatchObject({ status: 'failed', detail: /signal 9.*Result=signal/ })
    await module.online?.(call())
    systemctl('stop', unit)
    await until('the stop is said', () => pushed.length === 2)
    expect(pushed[1]).toMatchObject({ status: 'stopped' })
    await module.online?.(call())
    await module.terminate?.(call(0))
    expect(pids()).toEqual([])
    // Without the guard's permission it does not start, whoever asks.
    expect(() => systemctl('start', unit)).toThrow(/[Aa]ssert/)
    expect(pids()).toEqual([])
  })

  test('refused with the fix: Restart=always, and a unit that there is not', async () => {
    define('Restart=always\n')
    await expect(module.validate?.(call())).rejects.toThrow(/Restart=no/)
    rmSync(file)
    systemctl('daemon-reload')
    await expect(module.validate?.(call())).rejects.toThrow(/there is no unit/)
  })
})
