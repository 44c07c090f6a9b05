/** What goes wrong on a host: its clock, its disk, its files, its descriptors (profile `standard`). */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { type DemoHost, killPid } from '../../demo/host.ts'
import { identityOf } from '../../probe/gate/proc.ts'
import { endDemo, eventually, startDemo, starts } from './demo.ts'

const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'
const HOUR = 3_600

const log = (host: DemoHost) => readFileSync(join(host.options.folder, 'probe.log'), 'utf8')

async function withLedger(options: Parameters<typeof startDemo>[0]): Promise<Demo> {
  const demo = await startDemo({ profile: 'standard', ...options })
  await demo.addGroup('ledger')
  await demo.addWitness('ledger', 'ledger')
  await demo.online('ledger', 'n1')
  await eventually('the witness writes', () => starts(demo).length === 1)
  return demo
}

describe('its clock', () => {
  test('S-13: a day off, and stepping: nothing lapses, and a failover goes as ever', async (ctx) => {
    ctx.skip(!existsSync(FAKETIME), 'libfaketime is not installed')
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
    const stamp = join(folder, 'clock')
    const set = (seconds: number) => writeFileSync(stamp, `${seconds < 0 ? '' : '+'}${seconds}\n`)
    set(24 * HOUR)
    const env = {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: stamp,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
    const demo = await withLedger({ folder, env })
    try {
      for (const offset of [-24 * HOUR, 0, HOUR, -HOUR, 365 * 24 * HOUR, 1]) {
        set(offset)
        await sleep(1_500)
        const view = await demo.view()
        expect(view.nodes.map((n) => [n.name, n.state, n.connected])).toEqual(
          ['n1', 'n2', 'n3'].map((name) => [name, 'up', true]),
        )
      }
      expect(starts(demo)).toHaveLength(1)
      // A session that is made while the clock is behind, and a failover.
      set(-24 * HOUR)
      demo.host('n1').powerCut()
      await eventually('up elsewhere', () => starts(demo).length === 2, 30_000)
      demo.host('n1').start()
      await demo.allUp()
      expect(demo.overlaps('ledger')).toBe(0)
    } finally {
      await endDemo(demo)
    }
  })
})

describe('its files', () => {
  let demo: Demo
  beforeAll(async () => {
    demo = await withLedger({})
  })
  afterAll(() => endDemo(demo))

  const pidNow = () => starts(demo).at(-1)?.pid as number
  const owner = async () => demo.host((await demo.group('ledger')).owner as string)

  test('G10: a damaged state file: nothing is adopted, all of it is stopped, and it comes back', async () => {
    const host = await owner()
    const pid = pidNow()
    const before = starts(demo).length
    const guard = host.guardPid as number
    process.kill(guard, 'SIGSTOP')
    writeFileSync(join(host.runFolder, 'guard.json'), '{"boot":')
    killPid(guard)
    await eventually('what ran is gone', () => identityOf(pid) === null, 5_000)
    // S4, D3: the new guard knows nothing, so the old lease has to end first.
    await eventually('it is back somewhere', () => starts(demo).length === before + 1, 30_000)
    expect(log(host)).toMatch(/guard\.json is damaged, so nothing is adopted/)
    expect(demo.overlaps('ledger')).toBe(0)
    await demo.allUp()
  })

  test('a full disk under the replica, the count and the local stops: what runs goes on', async (ctx) => {
    const host = await owner()
    const before = starts(demo).length
    const full = fill(host.stateFolder)
    ctx.skip(full === null, 'no file system of its own can be mounted (root is needed)')
    try {
      await demo.addGroup('more')
      const { agent } = host.treePids()
      killPid(agent as number)
      await eventually('another agent is connected', async () => {
        const now = await host.status()
        return now?.agent.pid !== agent && now?.agent.info?.connected
      })
      expect(await host.stopHere('ledger').catch((e) => e.refusal)).toMatchObject({
        code: 'STATE_FOLDER',
        message: expect.stringContaining('nothing was done'),
      })
      await sleep(500)
      expect(starts(demo)).toHaveLength(before)
      expect(identityOf(pidNow())).not.toBeNull()
    } finally {
      full?.empty()
    }
    expect(log(host)).toMatch(/the replica cannot be written/)
    // With room again the replica catches up on disk too.
    await demo.addGroup('even-more')
    const { seq } = await demo.view()
    await eventually('written', () => {
      const text = readFileSync(join(host.stateFolder, 'hive.json'), 'utf8')
      return JSON.parse(text).hive.seq >= seq
    })
    full?.unmount()
  })

  test('no free file descriptors: leases are kept, a release is a release, and it mends', async () => {
    const host = await owner()
    const { guard, agent, rhs } = host.treePids() as Record<string, number>
    // What is open stays open; not one more can be had.
    for (const pid of [guard, agent, rhs]) noMoreFiles(pid as number)
    const before = starts(demo).length
    const pid = pidNow()
    await sleep(6_000)
    // Over a whole lease: nothing lapsed, the guard lives.
    expect(identityOf(pid)).not.toBeNull()
    expect(host.guardPid).toBe(guard)
    // G5: "nothing runs" is seen on processes. One that cannot be looked at would count as gone.
    await demo.api('moveGroup', { params: { cluster: CLUSTER, group: 'ledger' }, body: {} })
    await eventually('up elsewhere', () => starts(demo).length === before + 1)
    expect(identityOf(pid)).toBeNull()
    expect(demo.overlaps('ledger')).toBe(0)
    expect(host.guardPid, log(host).slice(-2_000)).toBe(guard)
    for (const limited of [guard, agent, rhs])
      if (identityOf(limited as number)) limitFiles(limited as number, 1_024)
    await demo.allUp()
    await demo.api('moveGroup', {
      params: { cluster: CLUSTER, group: 'ledger' },
      body: { to: host.name },
    })
    await demo.online('ledger', host.name)
  })
})

test('A6, G10: a guard that will not be started again leaves nothing running behind it', async () => {
  const demo = await withLedger({ hosts: ['n1'] })
  try {
    const host = demo.host('n1')
    const pid = starts(demo).at(-1)?.pid as number
    const folders = ['--state', host.stateFolder, '--run', host.runFolder]
    const run = () =>
      promisify(execFile)(process.execPath, [host.options.probe, 'run', ...folders], {
        timeout: 20_000,
      }).then(
        () => 0,
        (e) => e.code as number,
      )
    // While a guard runs, one that is started beside it touches nothing.
    chmodSync(host.stateFolder, 0o777)
    expect(await run()).toBe(6)
    expect(identityOf(pid)).not.toBeNull()
    host.killWithoutRunner()
    await sleep(100)
    expect(await run()).toBe(6)
    expect(identityOf(pid)).toBeNull()
  } finally {
    await endDemo(demo)
  }
})

describe('folders that cannot be used: a clear error and a documented exit code', () => {
  let folder: string
  let probe: string
  let demo: Demo
  beforeAll(async () => {
    demo = await startDemo({ hosts: ['n1'] })
    probe = demo.host('n1').options.probe
    folder = demo.host('n1').stateFolder
    await demo.host('n1').shutDown()
  })
  afterAll(() => endDemo(demo))

  async function run(state = folder): Promise<{ code: number; stderr: string }> {
    const args = [probe, 'run', '--state', state, '--run', join(demo.folder, 'run-x')]
    const failed = promisify(execFile)(process.execPath, args, { timeout: 20_000 })
    return failed.then(
      () => ({ code: 0, stderr: '' }),
      (e) => ({ code: e.code, stderr: e.stderr }),
    )
  }
  const FOUR_PARTS = (code: string) => new RegExp(`^error: .*\\[${code}\\]\\n  .+\\n  .+`)

  test('NOT_JOINED: there is none', async () => {
    const { code, stderr } = await run(join(demo.folder, 'nowhere'))
    expect(code).toBe(5)
    expect(stderr).toMatch(FOUR_PARTS('NOT_JOINED'))
  })

  test('STATE_FOLDER: others may write to it, or read the key; it belongs to somebody else', async () => {
    const cases: [string, () => void, () => void, RegExp][] = [
      [
        'others write',
        () => chmodSync(folder, 0o777),
        () => chmodSync(folder, 0o700),
        /others may write/,
      ],
      [
        'others read the key',
        () => chmodSync(join(folder, 'identity.key'), 0o644),
        () => chmodSync(join(folder, 'identity.key'), 0o600),
        /others may read the key/,
      ],
    ]
    if (process.getuid?.() === 0)
      cases.push([
        'not ours',
        () => chownSync(folder, 1, 1),
        () => chownSync(folder, 0, 0),
        /belongs to user 1/,
      ])
    for (const [name, spoil, mend, why] of cases) {
      spoil()
      const { code, stderr } = await run()
      mend()
      expect([name, code]).toEqual([name, 6])
      expect(stderr).toMatch(FOUR_PARTS('STATE_FOLDER'))
      expect(stderr).toMatch(why)
    }
  })

  test('STATE_FOLDER: identity or key damaged: not replaced, not guessed', async () => {
    for (const name of ['identity.json', 'identity.key']) {
      const path = join(folder, name)
      const before = readFileSync(path)
      writeFileSync(path, '{')
      const { code, stderr } = await run()
      expect(readFileSync(path, 'utf8')).toBe('{')
      writeFileSync(path, before)
      expect([name, code]).toEqual([name, 6])
      expect(stderr).toMatch(FOUR_PARTS('STATE_FOLDER'))
    }
  })

  test('STATE_FOLDER: mounted read-only', async (ctx) => {
    const place = join(demo.folder, 'read-only')
    mkdirSync(place)
    execFileSync('cp', ['-a', `${folder}/.`, place])
    const bind = spawnSync('sh', [
      '-c',
      `mount --bind ${place} ${place} && mount -o remount,ro,bind ${place}`,
    ])
    ctx.skip(bind.status !== 0, 'nothing can be mounted (root is needed)')
    const { code, stderr } = await run(place)
    spawnSync('umount', [place])
    expect(code).toBe(6)
    expect(stderr).toMatch(/mounted read-only/)
  })

  test('NOT_RUNNING: status where no guard runs', async () => {
    const args = [probe, 'status', '--run', join(demo.folder, 'run-y')]
    await expect(promisify(execFile)(process.execPath, args)).rejects.toMatchObject({
      code: 5,
      stderr: expect.stringMatching(FOUR_PARTS('NOT_RUNNING')),
    })
  })
})

/** Puts a small file system under the folder's files, and fills it. */
function fill(folder: string): { empty(): void; unmount(): void } | null {
  const copy = `${folder}.copy`
  execFileSync('cp', ['-a', folder, copy])
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=700', 'tmpfs', folder])
  if (mounted.status !== 0) return null
  execFileSync('cp', ['-a', `${copy}/.`, folder])
  const filler = join(folder, 'filler')
  try {
    writeFileSync(filler, Buffer.alloc(1_000_000))
  } catch {
    // As far as it goes.
  }
  // The last page too: a file of one byte takes one.
  for (let n = 0; n < 50; n += 1)
    try {
      writeFileSync(`${filler}.${n}`, 'x')
    } catch {
      break
    }
  return {
    empty: () => {
      for (const name of readdirSync(folder))
        if (name.startsWith('filler')) rmSync(join(folder, name))
    },
    unmount: () => {
      rmSync(copy, { recursive: true })
      spawnSync('umount', ['--lazy', folder])
    },
  }
}

/** Descriptors below the highest one may be free: a few opens may still succeed. */
function noMoreFiles(pid: number): void {
  const open = readdirSync(`/proc/${pid}/fd`).map(Number)
  limitFiles(pid, Math.max(...open) + 1)
}

function limitFiles(pid: number, count: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${count}:`])
}
