/** The control plane is not there: taken port, away when a host starts, away for longer than any lease. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startControlPlane } from '../../demo/control-plane.ts'
import { identityOf } from '../../probe/gate/proc.ts'
import { ROOT } from '../tidy/tracked-files.ts'
import { endDemo, eventually, startDemo, starts } from './demo.ts'

test('PORT_TAKEN: a control plane that hosts have joined by its port does not move to another', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  const state = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  const args = ['demo/start.ts', '--bare', '--port', String(port), '--state', state]
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  const { code, stdout, stderr } = await ended(child)
  other.close()
  rmSync(state, { recursive: true })
  expect(code).toBe(7)
  expect(stdout).toBe('')
  expect(stderr).toMatch(
    /^error: port \d+ is taken {3}\[PORT_TAKEN\]\n +why: .+\n +try: .+\n +docs: /,
  )
})

test('ALREADY_RUNNING: one control plane on a folder; what ends npm ends what it has started', async () => {
  const state = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  const options = { cwd: ROOT, env: { ...process.env, npm_config_loglevel: 'silent' } }
  const args = ['start', '--', '--bare', '--port', '0', '--state', state]
  const first = spawn('npm', args, { ...options, stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await new Promise<void>((resolve) => {
      first.stdout.on('data', (text) => {
        if (String(text).includes('Ctrl-C ends it')) resolve()
      })
    })
    const pid = Number(readFileSync(join(state, 'control/pid'), 'utf8'))
    const refused = await ended(spawn('npm', args, options))
    expect(refused).toMatchObject({ code: 7, stdout: '' })
    expect(refused.stderr).toMatch(
      /^error: a control plane runs on \S+ already \(pid \d+\) {3}\[ALREADY_RUNNING\]\n/,
    )
    expect(refused.stderr).toContain(`(pid ${pid})`)
    expect(identityOf(pid)).not.toBeNull()
    first.kill('SIGTERM')
    await eventually('it has ended, too', () => identityOf(pid) === null)
  } finally {
    first.kill('SIGKILL')
    rmSync(state, { recursive: true })
  }
})

test('S-08: away when the host starts, and while it serves: it retries for as long as it takes', async () => {
  const demo = await startDemo({ hosts: ['n1'] })
  try {
    await demo.addGroup('ledger')
    await demo.addWitness('ledger', 'ledger')
    await demo.online('ledger')
    await eventually('the witness writes', () => starts(demo).length === 1)
    const host = demo.host('n1')
    const pid = starts(demo)[0]?.pid as number
    const { port } = demo.control
    await demo.control.stop()
    // L4: its lease runs out, and it does not hope.
    await eventually('all is stopped', () => identityOf(pid) === null, 5_000)
    await host.shutDown()
    host.start()
    await sleep(6_000)
    expect(host.guardPid).toBeDefined()
    const info = (await host.status())?.agent.info
    expect(info).toMatchObject({ connected: false, session: null })
    expect(JSON.stringify(info)).toMatch(/ECONNREFUSED/)
    expect(starts(demo)).toHaveLength(1)
    const log = readFileSync(join(host.options.folder, 'probe.log'), 'utf8')
    // Said once, not with every try.
    expect(log.match(/ECONNREFUSED/g)?.length).toBeLessThan(4)
    const again = await startControlPlane({
      folder: join(demo.folder, 'control'),
      port,
      thisPortOnly: true,
    })
    try {
      await eventually('it runs again', () => starts(demo).length === 2, 90_000)
      expect(demo.overlaps('ledger')).toBe(0)
    } finally {
      host.powerCut()
      await again.stop()
    }
  } finally {
    await endDemo(demo)
  }
})

function ended(
  child: ChildProcess,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream]?.on('data', (chunk) => {
      said[stream] += chunk
    })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, ...said })))
}
