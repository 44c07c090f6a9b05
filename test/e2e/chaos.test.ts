/** A part of `npm run chaos`: random faults on real processes, in network namespaces of their own. */
import { execFile, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { cannotRun } from '../chaos/enclosure.ts'
import { FAULT_KINDS } from '../chaos/kinds.ts'
import { ROOT } from '../tidy/tracked-files.ts'
import { eventually } from './demo.ts'

/** Each kind twice, where this machine has them all: some three minutes. */
const FAULTS = 2 * FAULT_KINDS.length
/** Without libvirt, without libfaketime. */
const MAY_BE_MISSING = 3
const why = cannotRun()
const main = (...words: string[]) => ['test/chaos/main.ts', ...words]
const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('hfc-'))
const run = (...words: string[]) =>
  promisify(execFile)(process.execPath, main(...words), { cwd: ROOT }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code: code as number, stdout, stderr }),
  )

test(`never on two, and always back: ${FAULTS} random faults`, {
  timeout: 400_000,
}, async (context) => {
  context.skip(why !== null, why ?? '')
  const { code, stdout, stderr } = await run('--faults', String(FAULTS), '--seed', '4', '--json')
  const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
  expect(result, stderr).toMatchObject({
    ...{ chaos: true, faults: FAULTS, seed: 4 },
    ...{ overlaps: 0, unrecovered: 0, lostWrites: 0, replicasDiffer: 0 },
  })
  expect(code, stderr).toBe(0)
  const used = Object.values<number>(result.faultsUsed).filter((times) => times > 0)
  expect(used.length, stderr).toBeGreaterThanOrEqual(FAULT_KINDS.length - MAY_BE_MISSING)
  expect(result.acknowledged).toBeGreaterThan(FAULTS)
  process.stdout.write(`${stderr}${stdout}`)
})

test('ended in the middle, it leaves nothing behind', { timeout: 120_000 }, async (context) => {
  context.skip(why !== null, why ?? '')
  const before = folders()
  const child = spawn(process.execPath, main('--faults', '500'), { cwd: ROOT, stdio: 'pipe' })
  let said = ''
  child.stdout.on('data', (text) => {
    said += text
  })
  const folder = await eventually('its folder', () =>
    folders().find((name) => !before.includes(name)),
  )
  await eventually('its first fault', () => /^ +\d+ +\d+ ms/m.test(said), 100_000)
  const ours = () =>
    readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && mentions(pid, folder))
  expect(ours().length).toBeGreaterThan(10)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGINT')
  expect(await ended).toBe(130)
  await eventually('no process is left', () => ours().length === 0)
  expect(existsSync(`${tmpdir()}/${folder}`)).toBe(false)
})

test('arguments that make no sense: exit code 2, and what is wrong', async () => {
  const { code, stdout, stderr } = await run('--faults', 'x')
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toBe('error: --faults takes a whole number from 1 to 100000, not "x"\n')
})

function mentions(pid: string, text: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text)
  } catch {
    return false
  }
}
