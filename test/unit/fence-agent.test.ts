/** Fence agents as a helper runs them: the real fence_dummy, and scripts that hang, lie and babble. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FenceDesk } from '../../probe/agent/fence-desk.ts'
import { fenceOff, switchOn, tryFence } from '../../probe/fence/fence.ts'
import type { FenceOrder } from '../../schema/fencing.ts'
import { fenceOptions } from '../../schema/fencing.ts'
import type { FencePolicy } from '../../schema/host-policy.ts'
import type { NodeFrame } from '../../schema/session.ts'
import { living } from '../fence/plug.ts'

const N1 = '00000000-0000-4000-8000-000000000001'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-fence-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const order = (over: Partial<FenceOrder> = {}): FenceOrder => ({
  action: 'off',
  request: 'r1',
  target: { id: N1, name: 'n1' },
  boot: 'boot-0001',
  agent: 'fence_test',
  options: {},
  secrets: null,
  timeoutMs: 2_000,
  ...over,
})

const policy = (over: Partial<FencePolicy> = {}): FencePolicy => ({
  agents: ['fence_test'],
  folder,
  secrets: folder,
  ...over,
})

/** A shell script as agent: `$action` is set. */
function agent(body: string, name = 'fence_test'): string {
  const path = join(folder, name)
  const read =
    'while IFS="=" read -r key value; do echo "$key=$value" >> "$0.in"; [ $key = action ] && action=$value; done'
  writeFileSync(path, `#!/bin/sh\n${read}\n${body}\n`)
  chmodSync(path, 0o755)
  return path
}

const input = () => readFileSync(join(folder, 'fence_test.in'), 'utf8')

describe('the real fence_dummy', () => {
  // It writes where it is told to: an option that only this host may allow.
  const dummy = policy({ agents: ['fence_dummy'], options: ['status_file'] })
  const real = (over: Partial<FenceOrder> = {}) =>
    order({
      agent: 'fence_dummy',
      options: { type: 'file', status_file: join(folder, 'plug'), plug: 'n1' },
      timeoutMs: 20_000,
      ...over,
    })
  const { folder: _, ...packaged } = dummy

  test('F1: off, and its status says so; on again; status and monitor only look', async (ctx) => {
    const there = existsSync('/usr/sbin/fence_dummy')
    ctx.skip(!there, 'the package fence-agents is missing: fence_dummy was not tried')
    writeFileSync(join(folder, 'plug'), 'on')
    const tried = await tryFence(real({ action: 'test' }), packaged)
    expect(tried).toMatchObject({ fault: null, probes: [{ ok: true }, { ok: true }] })
    expect(tried.probes[0]?.detail).toContain('the node is on')
    expect(readFileSync(join(folder, 'plug'), 'utf8')).toBe('on')
    const result = await fenceOff(real(), packaged)
    expect(result).toMatchObject({ outcome: 'off' })
    expect(readFileSync(join(folder, 'plug'), 'utf8')).toBe('off')
    const off = await tryFence(real({ action: 'test' }), packaged)
    expect(off.probes[0]).toMatchObject({ ok: true, detail: expect.stringContaining('is off') })
    expect(await switchOn(real({ action: 'on' }), packaged)).toContain('switched on again')
    expect(readFileSync(join(folder, 'plug'), 'utf8')).toBe('on')
  }, 60_000)
})

describe('F1: what proves that a boot is over', () => {
  test('off, then a status of off, in that order, with the options on its input', async () => {
    agent('case $action in status) exit 2 ;; esac; exit 0')
    const result = await fenceOff(order({ options: { plug: '7', ip: '10.0.0.9' } }), policy())
    expect(result.outcome).toBe('off')
    expect(input()).toBe('action=off\nplug=7\nip=10.0.0.9\naction=status\nplug=7\nip=10.0.0.9\n')
  })

  test('it returns early: asked again until its status says off', async () => {
    // Its status says "on" twice before it says "off".
    agent(
      'case $action in status) [ -e "$0.2" ] && exit 2; [ -e "$0.1" ] && touch "$0.2"; touch "$0.1" ;; esac; exit 0',
    )
    const beganMs = performance.now()
    expect((await fenceOff(order(), policy())).outcome).toBe('off')
    expect(performance.now() - beganMs).toBeGreaterThan(400)
  })

  test.each([
    ['it lies: its status goes on saying on', 'exit 0', /says that it is still on/],
    [
      'it lies, and the time is over while it is asked again',
      'case $action in status) [ -e "$0.asked" ] && sleep 5; touch "$0.asked" ;; esac; exit 0',
      /says that it is still on/,
    ],
    ['its status is an error', 'case $action in status) exit 1 ;; esac', /status ended with 1/],
    ['its off is an error', 'echo no route >&2; exit 1', /off ended with 1: no route/],
    ['an exit code that nobody knows', 'exit 77', /off ended with 77/],
    ['off says what only status may say', 'exit 2', /off ended with 2/],
    ['it dies', 'kill -9 $$', /off was killed/],
    ['garbage without end', 'head -c 300000 /dev/urandom; exit 1', /off ended with 1/],
  ])('not: %s', async (_, body, said) => {
    agent(body)
    const result = await fenceOff(order({ timeoutMs: 1_500 }), policy())
    expect(result.outcome).toBe('failed')
    expect(result.detail).toMatch(said)
    expect(result.detail.length).toBeLessThanOrEqual(1_000)
  })

  test('one that hangs is killed in time, with everything that it started', async () => {
    agent('sleep 300 & echo $! > "$0.pid"; echo $$ >> "$0.pid"; trap "" TERM; wait')
    const beganMs = performance.now()
    const result = await fenceOff(order({ timeoutMs: 500 }), policy())
    expect(result).toMatchObject({ outcome: 'failed' })
    expect(result.detail).toMatch(/did not end in time and was killed/)
    expect(performance.now() - beganMs).toBeLessThan(2_000)
    const pids = readFileSync(join(folder, 'fence_test.pid'), 'utf8').trim().split('\n').map(Number)
    expect(pids).toHaveLength(2)
    expect(await livingSoon(pids)).toEqual([])
    // This can fail: a process that lives is seen.
    expect(living([process.pid])).toEqual([process.pid])
  })

  test('one that ends and leaves something behind: that is ended, and nobody waits for it', async () => {
    agent('case $action in status) exit 2 ;; esac; sleep 300 & echo $! > "$0.pid"; exit 0')
    const beganMs = performance.now()
    expect((await fenceOff(order(), policy())).outcome).toBe('off')
    expect(performance.now() - beganMs).toBeLessThan(1_500)
    const pid = Number(readFileSync(join(folder, 'fence_test.pid'), 'utf8'))
    expect(await livingSoon([pid])).toEqual([])
  })

  test('one that closes its input at once is judged by its exit code', async () => {
    writeFileSync(join(folder, 'fence_test'), '#!/bin/sh\nexec <&-\nexit 3\n', { mode: 0o755 })
    const options = { plug: 'x'.repeat(900) }
    expect((await fenceOff(order({ options }), policy())).detail).toMatch(/ended with 3/)
  })
})

describe('the host policy: no control plane runs what this host did not allow', () => {
  const refused = async (o: Partial<FenceOrder>, p: FencePolicy | null) => {
    agent('touch "$0.ran"; exit 0')
    const result = await fenceOff(order(o), p)
    expect(result.outcome).toBe('failed')
    expect(existsSync(join(folder, 'fence_test.ran'))).toBe(false)
    return result.detail
  }

  test('no section, another agent, a missing one', async () => {
    expect(await refused({}, null)).toMatch(/policy does not allow the fence agent fence_test/)
    expect(await refused({}, policy({ agents: ['fence_ipmi*'] }))).toMatch(/does not allow/)
    expect(await refused({ agent: 'fence_nosuch' }, policy({ agents: ['fence_*'] }))).toMatch(
      /fence_nosuch cannot be used here: .* is missing/,
    )
  })

  test.each(['ipmitool_path', 'ssh_options', 'identity_file', 'status_file', 'login_command'])(
    'an option that could run or write anything: %s',
    async (key) => {
      expect(await refused({ options: { [key]: '/tmp/x' } }, policy())).toMatch(
        new RegExp(`does not allow the control plane to set the option ${key}`),
      )
    },
  )

  test('an agent that others may change, or that is of another user', async () => {
    chmodSync(agent('exit 0'), 0o777)
    expect((await fenceOff(order(), policy())).detail).toMatch(/can be changed by others/)
    spawnSync('chown', ['nobody', agent('exit 0')])
    if (process.getuid?.() === 0)
      expect((await fenceOff(order(), policy())).detail).toMatch(/belongs to another user/)
  })

  test('secrets come from a file of this host, win, and are in nothing that leaves it', async () => {
    agent(
      'case $action in status) exit 2 ;; esac; echo "bad password hunter2 for root" >&2; exit 1',
    )
    const file = join(folder, 'bmc')
    writeFileSync(file, '# of the rack\npassword=hunter2\nip = 10.0.0.9\n', { mode: 0o600 })
    const options = { ip: '192.0.2.66', plug: '1' }
    const { detail } = await fenceOff(order({ options, secrets: 'bmc' }), policy())
    expect(input()).toBe('action=off\nip=10.0.0.9\nplug=1\npassword=hunter2\n')
    expect(detail).toMatch(/bad password \*\*\* for root/)
    chmodSync(file, 0o640)
    expect((await fenceOff(order({ secrets: 'bmc' }), policy())).detail).toMatch(
      /can be read by others/,
    )
    chmodSync(file, 0o600)
    writeFileSync(file, 'action=on\n')
    expect((await fenceOff(order({ secrets: 'bmc' }), policy())).detail).toMatch(/sets the action/)
    expect((await fenceOff(order({ secrets: 'none' }), policy())).detail).toMatch(/is missing/)
  })

  test('options are lines: none can bring another one with it, or set the action', () => {
    expect(fenceOptions.safeParse({ plug: '1\naction=reboot' }).success).toBe(false)
    expect(fenceOptions.safeParse({ action: 'reboot' }).success).toBe(false)
    expect(fenceOptions.safeParse({ 'plug\nx': '1' }).success).toBe(false)
    expect(fenceOptions.safeParse({ plug: '1' }).success).toBe(true)
  })
})

describe('the desk of a helper', () => {
  const told: NodeFrame[] = []
  const logged: string[] = []
  function desk(): FenceDesk {
    told.length = 0
    logged.length = 0
    const made = new FenceDesk({
      tell: (report) => void told.push(report as NodeFrame),
      answer: (frame) => void told.push(frame),
      log: (message) => void logged.push(message),
    })
    made.allow(policy())
    return made
  }

  test('F1, F2: says that it begins, then what came of it, with the boot it was asked about', async () => {
    agent('case $action in status) exit 2 ;; esac; exit 0')
    await desk().take(order())
    expect(told).toMatchObject([
      { t: 'fenceBegun', target: N1, request: 'r1' },
      { t: 'fenced', target: N1, boot: 'boot-0001', request: 'r1', outcome: 'off' },
    ])
  })

  test('F2: without a boot nothing is done and nothing said', async () => {
    agent('touch "$0.ran"')
    await desk().take(order({ boot: null }))
    expect(told).toEqual([])
    expect(existsSync(join(folder, 'fence_test.ran'))).toBe(false)
  })

  test('one at a time for a node: a second request fails, the first one counts', async () => {
    agent('sleep 0.2; case $action in status) exit 2 ;; esac; exit 0')
    const one = desk()
    const [first, second] = [one.take(order()), one.take(order({ request: 'r2' }))]
    await Promise.all([first, second, one.take(order({ action: 'on', boot: null }))])
    expect(told.filter((f) => f.t === 'fenced')).toMatchObject([
      { request: 'r2', outcome: 'failed' },
      { request: 'r1', outcome: 'off' },
    ])
    expect(logged).toEqual(['n1 is being fenced: not switched on'])
  })

  test('switching on that fails is a line in the log and nothing else', async () => {
    agent('exit 1')
    await desk().take(order({ action: 'on', boot: null }))
    expect(told).toEqual([])
    expect(logged).toEqual(['n1 could not be switched on again: ended with 1'])
  })
})

/** What was killed takes a moment to be dead where many processes run. */
async function livingSoon(pids: readonly number[]): Promise<number[]> {
  const end = performance.now() + 1_000
  while (living(pids).length > 0 && performance.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 5))
  return [...living(pids)]
}
