import { spawn } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { GateAsk, GateVerdict } from '../../../probe/gate/gate-listener.ts'
import { listenGate, parseEmulatorArguments } from '../../../probe/gate/gate-listener.ts'
import { askPath, asksFolder, GATE_REFUSED, installGate } from '../../../probe/gate/gate-script.ts'
import { type Identity, identityOf } from '../../../probe/gate/proc.ts'
import { until } from './hosts.ts'

/** The gate alone: the emulator is a script that says what it is and sleeps. */
describe.skipIf(process.platform !== 'linux')('gate', () => {
  let folder: string
  let gate: string
  let close: () => void
  const asks: GateAsk[] = []
  const ends: Identity[] = []
  const started: number[] = []
  let decide: (ask: GateAsk) => GateVerdict

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hf-gate-'))
    const emulator = join(folder, 'emulator')
    writeFileSync(emulator, '#!/bin/sh\necho "emulator $$ $*"\nexec sleep 30\n')
    chmodSync(emulator, 0o755)
    gate = installGate(join(folder, 'g'), { emulator, waitSeconds: 1 })
    asks.length = ends.length = started.length = 0
    decide = () => ({ yes: true })
    close = listen().close
  })
  afterEach(() => {
    close()
    for (const pid of started) if (identityOf(pid) !== null) process.kill(pid, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  const listen = () =>
    listenGate(join(folder, 'g'), {
      ask(ask) {
        asks.push(ask)
        return decide(ask)
      },
      ended: (process) => void ends.push(process),
    })

  function launch(...args: string[]) {
    const child = spawn(gate, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    if (child.pid !== undefined) started.push(child.pid)
    const said = { out: '', err: '' }
    child.stdout.on('data', (chunk) => (said.out += chunk))
    child.stderr.on('data', (chunk) => (said.err += chunk))
    const exit = new Promise<number | null>((resolve) => child.once('close', resolve))
    return { pid: child.pid ?? -1, child, said, exit }
  }

  test('G4: after a yes the launcher has become the emulator, with the pid that asked', async () => {
    const { pid, said } = launch('-name', 'guest=web,debug-threads=on', '-S')
    await until(() => said.out !== '', 3_000, 'no emulator')
    expect(said.out).toBe(`emulator ${pid} -name guest=web,debug-threads=on -S\n`)
    expect(asks).toEqual([{ gateName: 'web', process: identityOf(pid), incoming: false }])
    expect(
      readdirSync(asksFolder(join(folder, 'g'))).filter((f) => f.startsWith('answer')),
    ).toEqual([])
  })

  test('G4: a no is text on stderr and exit status 77; nothing has run', async () => {
    decide = () => ({ yes: false, reason: 'no grant\nfor "web"' })
    const { said, exit } = launch('-name', 'guest=web')
    expect(await exit).toBe(GATE_REFUSED)
    expect(said).toEqual({ out: '', err: 'holdfast gate: refused: no grant for "web"\n' })
    expect(ends).toEqual([])
    expect(readdirSync(asksFolder(join(folder, 'g')))).toEqual(['ask'])
  })

  test('G4: an incoming guest is told apart from a cold start', async () => {
    launch('-name', 'guest=web', '-incoming', 'defer')
    await until(() => asks.length === 1, 3_000, 'not asked')
    expect(asks[0]?.incoming).toBe(true)
  })

  test('G4: libvirt probing abilities is not asked for, and anything else is', async () => {
    const probe = launch('-S', '-machine', 'none,accel=tcg', '-nographic')
    await until(() => probe.said.out !== '', 3_000, 'no emulator')
    expect(asks).toEqual([])
    decide = () => ({ yes: false })
    expect(await launch('-machine', 'none', '-machine', 'q35').exit).toBe(GATE_REFUSED)
    expect(await launch().exit).toBe(GATE_REFUSED)
  })

  test('G4: without a guard, and with one that does not answer, it fails closed and in time', async () => {
    close()
    const before = performance.now()
    expect(await launch('-name', 'guest=web').exit).toBe(GATE_REFUSED)
    expect(performance.now() - before).toBeLessThan(3_000)
    // Somebody reads and does not answer.
    const reader = openSync(askPath(join(folder, 'g')), 'r+')
    expect(await launch('-name', 'guest=web').exit).toBe(GATE_REFUSED)
    closeSync(reader)
    expect(asks).toEqual([])
    close = listen().close
  })

  test('G4: a guard that throws has said no', async () => {
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve))
    decide = () => {
      throw new Error('a bug')
    }
    const { exit, said } = launch('-name', 'guest=web')
    expect(await exit).toBe(GATE_REFUSED)
    expect(said.err).toContain('the guard failed')
    expect(String(await thrown)).toContain('a bug')
    for (const listener of others) process.on('uncaughtException', listener)
  })

  test('G4: junk, lies and dead askers do not stop the guard', async () => {
    const fd = openSync(askPath(join(folder, 'g')), 'r+')
    writeSync(fd, 'junk without an end')
    writeSync(fd, `\n${'x'.repeat(5_000)}`)
    writeSync(fd, '\nask 1 1\nask 99999999 7\nask\nask -1 a\n')
    const self = identityOf(process.pid)
    writeSync(fd, `\nask ${self?.pid} ${self?.startTicks}\nhalf of a li`)
    closeSync(fd)
    const { said } = launch('-name', 'guest=web')
    await until(() => said.out !== '', 3_000, 'no emulator')
    expect(asks.map((a) => a.gateName)).toEqual(['web'])
  })

  test('G4: a yes is given once, however often it is asked for', async () => {
    const { pid, said } = launch('-name', 'guest=web')
    await until(() => said.out !== '', 3_000, 'no emulator')
    const fd = openSync(askPath(join(folder, 'g')), 'r+')
    writeSync(fd, `\nask ${pid} ${identityOf(pid)?.startTicks}\n`)
    closeSync(fd)
    await sleep(50)
    expect(asks).toHaveLength(1)
  })

  test('G4: many ask at once, each gets its own answer', async () => {
    // Whoever has waited for too long starts nothing, and a busy machine takes its time.
    gate = installGate(join(folder, 'g'), { emulator: join(folder, 'emulator'), waitSeconds: 30 })
    decide = (ask) =>
      Number(ask.gateName) % 2 === 0 ? { yes: true } : { yes: false, reason: 'odd' }
    const all = Array.from({ length: 24 }, (_, i) => launch('-name', `guest=${i}`))
    await until(() => asks.length === 24, 20_000, 'not all have asked')
    const odd = all.filter((_, i) => i % 2 === 1)
    expect(new Set(await Promise.all(odd.map((l) => l.exit)))).toEqual(new Set([GATE_REFUSED]))
    const even = all.filter((_, i) => i % 2 === 0)
    await until(() => even.every((l) => l.said.out !== ''), 20_000, 'not all were let through')
  }, 60_000)

  test('G8: the end of a process is seen at once, by the FIFO it held', async () => {
    const latencies: number[] = []
    for (let i = 0; i < 5; i++) {
      const { pid, said } = launch('-name', `guest=${i}`)
      await until(() => said.out !== '', 3_000, 'no emulator')
      const before = performance.now()
      process.kill(pid, 'SIGKILL')
      await new Promise<void>((resolve) => {
        const look = () => (ends.some((e) => e.pid === pid) ? resolve() : setImmediate(look))
        look()
      })
      latencies.push(performance.now() - before)
    }
    console.log(`death sign of the gate: ${latencies.map((l) => l.toFixed(1)).join(', ')} ms`)
    expect(Math.min(...latencies)).toBeLessThan(50)
  })

  test('a launcher that is killed while it waits is never let through', async () => {
    close()
    const { pid, child } = launch('-name', 'guest=web')
    await sleep(100)
    child.kill('SIGKILL')
    await until(() => identityOf(pid) === null, 2_000, 'still there')
    close = listen().close
    await sleep(100)
    expect(asks).toEqual([])
  })

  test('G10: a new guard sees the end of what an earlier one has let through', async () => {
    const { pid, said } = launch('-name', 'guest=web')
    await until(() => said.out !== '', 3_000, 'no emulator')
    close()
    close = listen().close
    process.kill(pid, 'SIGKILL')
    await until(() => ends.some((e) => e.pid === pid), 2_000, 'its end was not seen')
    expect(readdirSync(asksFolder(join(folder, 'g')))).toEqual(['ask'])
  })

  test('a launcher that waits for a guard is answered by the next one', async () => {
    close()
    const { said } = launch('-name', 'guest=web')
    await sleep(200)
    close = listen().close
    await until(() => said.out !== '', 3_000, 'no emulator')
    expect(asks).toHaveLength(1)
  })

  test('installing again changes nothing until the emulator changes', () => {
    const emulator = join(folder, 'emulator')
    const before = statSync(gate).ctimeMs
    installGate(join(folder, 'g'), { emulator, waitSeconds: 1 })
    expect(statSync(gate).ctimeMs).toBe(before)
    writeFileSync(emulator, '#!/bin/sh\nexec sleep 40\n')
    installGate(join(folder, 'g'), { emulator, waitSeconds: 1 })
    expect(statSync(gate).ctimeMs).not.toBe(before)
    expect(existsSync(`${gate}.new`)).toBe(false)
    expect(readFileSync(gate, 'utf8')).toMatch(/^#!\/bin\/sh\n/)
  })

  test('names are read as libvirt writes them', () => {
    const name = (...words: string[]) => parseEmulatorArguments(words).gateName
    expect(name('-name', 'guest=a,,b,debug-threads=on')).toBe('a,b')
    expect(name('-S')).toBe('')
    expect(name('-name', 'a')).toBe('')
  })
})
