/** The unit of systemd: what it says, that systemd takes it, and what its last line does (A6, G11). */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { killPid } from '../../demo/host.ts'
import { FATAL_EXITS } from '../../probe/host/fatal-exits.ts'
import { stopPost, systemdRuns, UNIT_PATH, unitText } from '../../probe/host/unit.ts'
import { ROOT } from '../tidy/tracked-files.ts'
import { ProbeUnderTest } from './run-probe.ts'

const probe = new ProbeUnderTest()
beforeAll(() => probe.build())
afterAll(() => probe.end())

/** `Key=value` lines, as systemd reads them. */
function settings(text: string): Map<string, string> {
  const lines = text.split('\n').filter((line) => /^[A-Za-z]+=/.test(line))
  return new Map(lines.map((line) => [line.split('=', 1)[0] ?? '', line.replace(/^[^=]*=/, '')]))
}

test('A6: the unit brings a dead guard back at once, and not after what time cannot mend', () => {
  const unit = settings(unitText(['/usr/bin/node', '/opt/holdfast/dist/holdfast-probe.js', 'run']))
  expect(Object.fromEntries(unit)).toMatchObject({
    ...{ Restart: 'always', RestartSec: '0', StartLimitIntervalSec: '0' },
    RestartPreventExitStatus: FATAL_EXITS.join(' '),
    ...{ KillMode: 'process', Delegate: 'yes', RestartKillSignal: 'SIGKILL' },
    ...{ RuntimeDirectoryPreserve: 'yes', OOMPolicy: 'continue', TasksMax: 'infinity' },
    ...{ StateDirectoryMode: '0700', RuntimeDirectoryMode: '0700' },
    ExecStart: '/usr/bin/node /opt/holdfast/dist/holdfast-probe.js run',
  })
  // More than the guard's own 30 s and the longest T_stop.
  expect(Number(unit.get('TimeoutStopSec'))).toBeGreaterThan(35)
})

test('nothing secret, and no sandbox that workloads would inherit', () => {
  const text = unitText(['/usr/bin/node', 'probe.js', 'run'])
  expect(text).not.toMatch(/hf[jks]_|TOKEN|Environment|Credential=/)
  const inherited =
    /^(?:NoNewPrivileges|Protect\w+|Private\w+|Restrict\w+|SystemCall\w+|CapabilityBoundingSet|ReadOnlyPaths|InaccessiblePaths)=/m
  expect(text).not.toMatch(inherited)
})

test('words of the command line arrive as they are', () => {
  const line = settings(unitText(['/opt/my node/bin', '100%', 'a$b', 'say "x"'])).get('ExecStart')
  expect(line).toBe('"/opt/my node/bin" 100%% a$$b "say \\"x\\""')
})

test('install and uninstall into the root of another system', async (ctx) => {
  const prefix = join(probe.folder, 'root')
  const args = ['--prefix', prefix, '--json', ...probe.folders('a')]
  const dry = await probe.run(['service', 'install', '--dry-run', ...args])
  expect(JSON.parse(dry.stdout)).toMatchObject({ dryRun: true, changed: false })
  expect(existsSync(prefix)).toBe(false)
  const first = await probe.run(['service', 'install', ...args])
  expect(first.code, first.stderr).toBe(0)
  expect(JSON.parse(first.stdout)).toMatchObject({ changed: true })
  const path = join(prefix, UNIT_PATH)
  const start = settings(readFileSync(path, 'utf8')).get('ExecStart') ?? ''
  expect(start).toBe([...start.split(' ').slice(0, 3), 'run', ...probe.folders('a')].join(' '))
  expect(existsSync(start.split(' ')[2] as string)).toBe(true)
  expect(JSON.parse((await probe.run(['service', 'install', ...args])).stdout).changed).toBe(false)
  const verify = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' })
  const gone = await probe.run(['service', 'uninstall', ...args])
  expect(JSON.parse(gone.stdout)).toMatchObject({ changed: true })
  expect(existsSync(path)).toBe(false)
  ctx.skip(verify.error !== undefined, 'systemd-analyze is missing: systemd was not asked')
  expect(JSON.parse(first.stdout)).toMatchObject({ verified: true })
  expect(verify.stdout + verify.stderr).toBe('')
  expect(verify.status).toBe(0)
})

test('NO_SERVICE_MANAGER: without systemd it says so, and how it is done elsewhere', async (ctx) => {
  ctx.skip(systemdRuns(), 'systemd runs this machine: its unit is not to be touched')
  const refused = await probe.run(['service', 'install', ...probe.folders('a')])
  expect(refused.code).toBe(3)
  expect(refused.stderr).toContain('[NO_SERVICE_MANAGER]')
  for (const word of ['runit', 'OpenRC', 'Docker', 'holdfast-probe.js run'])
    expect(refused.stderr).toContain(word)
  expect(existsSync(join('/', UNIT_PATH))).toBe(false)
})

/** A cgroup as systemd makes it for the unit, or null. */
function unitGroup(): string | null {
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'latin1'))?.[1]
  const mount = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/self/mounts', 'latin1'))?.[1]
  if (own === undefined || mount === undefined) return null
  const path = join(mount, own, `test-${process.pid}.slice`, 'holdfast-probe.service')
  try {
    mkdirSync(join(path, 'holdfast-x', 'w-1'), { recursive: true })
    return path
  } catch {
    return null
  }
}

test('ExecStopPost: workloads end with a guard that is not started again, and only then', async (ctx) => {
  const unit = unitGroup()
  ctx.skip(unit === null, 'no cgroup v2 to be had')
  const group = unit as string
  const workload = spawn('/bin/sh', [
    '-c',
    `echo $$ > ${group}/holdfast-x/w-1/cgroup.procs && exec sleep 60`,
  ])
  const gone = new Promise<string | null>((done) =>
    workload.on('exit', (_, signal) => done(signal)),
  )
  const after = (SERVICE_RESULT: string, EXIT_STATUS: string) =>
    spawnSync('/bin/sh', ['-c', `echo $$ > ${group}/cgroup.procs && ${stopPost(FATAL_EXITS)}`], {
      env: { PATH: process.env['PATH'] ?? '', SERVICE_RESULT, EXIT_STATUS },
      encoding: 'utf8',
    })
  try {
    while (!readFileSync(`${group}/holdfast-x/w-1/cgroup.procs`, 'utf8')) await pause()
    for (const [result, status] of [
      ['signal', 'KILL'],
      ['exit-code', '1'],
      ['success', '0'],
    ] as const) {
      const said = after(result, status)
      expect(said.stderr + said.stdout).toBe('')
      expect(readFileSync(`${group}/holdfast-x/w-1/cgroup.procs`, 'utf8')).not.toBe('')
    }
    after('exit-code', '6')
    expect(await gone).toBe('SIGKILL')
  } finally {
    if (workload.exitCode === null && workload.signalCode === null) killPid(workload.pid as number)
    for (const path of ['holdfast-x/w-1', 'holdfast-x', '', '..']) await removed(join(group, path))
  }
})

const pause = () => new Promise((next) => setTimeout(next, 20))

async function removed(path: string): Promise<void> {
  for (let round = 0; round < 50; round += 1) {
    try {
      return rmdirSync(path)
    } catch {
      await pause()
    }
  }
}

test('`run` loads neither the parser nor the other commands: the guard keeps what it loads', () => {
  const trace = join(probe.folder, 'trace.mjs')
  writeFileSync(
    trace,
    `import { registerHooks } from 'node:module'
registerHooks({ load(url, context, next) { process.stderr.write('LOADED ' + url + '\\n'); return next(url, context) } })`,
  )
  const loaded = (args: readonly string[]) =>
    spawnSync(process.execPath, ['--import', trace, join(ROOT, 'probe/main.ts'), ...args], {
      encoding: 'utf8',
    }).stderr
  const foreign =
    /\/(?:commander|commands\/(?:program|join|doctor|leave|service)|schema\/api\/client)[./]/
  const run = loaded(['run', '--state', join(probe.folder, 'none')])
  expect(run).toContain('[NOT_JOINED]')
  expect(run).toContain('probe/guard/main.ts')
  expect(run).not.toMatch(foreign)
  expect(loaded(['--version'])).toMatch(foreign)
})
