/** `holdfast maintenance run` against a real control plane: one host after the other, until the first problem. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { RealCluster } from './real-cluster.ts'
import { runCli, runCliProcess } from './run-cli.ts'

let real: RealCluster
let list: string
beforeAll(async () => {
  real = await RealCluster.start()
  await real.online('web', ['nginx'])
  await real.online('db', ['pg'])
}, 60_000)
afterAll(() => real?.stop())
let runs = 0
beforeEach(() => {
  runs += 1
  list = join(real.folder, `worked-on-${runs}`)
})

const run = (words: string[], options: Parameters<typeof runCli>[1] = {}) =>
  runCli(['maintenance', 'run', '--yes', ...words], { ...options, env: real.env })

const nodes = async () =>
  (await real.view()).nodes.map(({ name, paused, groups }) => ({ name, paused, groups }))

/** Notes its node, and who has groups then. */
const noting = () => ['--', '/bin/sh', '-c', `echo {} $HOLDFAST_NODE >> ${list}`]

it('S-18: each host is drained, worked on, looked at and given its groups again, in the order that was said', async () => {
  const done = await run(['--nodes', 'n2,n1', '--failback', 'now', '--json', ...noting()])
  expect(done.code, done.stderr).toBe(0)
  expect(readFileSync(list, 'utf8')).toBe('n2 n2\nn1 n1\n')
  const { outcome, worked } = JSON.parse(done.stdout)
  expect(outcome).toBe('done')
  expect(worked).toMatchObject([
    { node: 'n2', operation: expect.stringMatching(/^u\d+$/) },
    { node: 'n1', operation: expect.stringMatching(/^u\d+$/) },
  ])
  // What left n1 is back on it.
  expect(await nodes()).toEqual([
    { name: 'n1', paused: false, groups: 2 },
    { name: 'n2', paused: false, groups: 0 },
  ])
}, 60_000)

it('the first problem ends it: nothing is done to what comes after, and it says how to go on', async () => {
  const words = ['--nodes', 'n1,n2', '--', '/bin/sh', '-c', `echo {} >> ${list}; exit 7`]
  const stopped = await run(words)
  expect(stopped.code).toBe(3)
  expect(readFileSync(list, 'utf8')).toBe('n1\n')
  expect(stopped.stdout).toContain('stopped at n1 (work): ')
  expect(stopped.stdout).toContain('it ended with exit code 7')
  expect(stopped.stderr).toContain(
    'Node n1 is still drained. When it is well: holdfast node resume n1',
  )
  expect(stopped.stderr).toContain(
    'To go on from n1: holdfast maintenance run --nodes n1,n2 -- /bin/sh',
  )
  expect(await nodes()).toEqual([
    { name: 'n1', paused: true, groups: 0 },
    { name: 'n2', paused: false, groups: 2 },
  ])
  // From there on it goes as if nothing had been.
  const again = await run(['--nodes', 'n1,n2', ...noting()])
  expect(again.code, again.stderr).toBe(0)
  expect(await nodes()).toMatchObject([{ paused: false }, { paused: false }])
}, 60_000)

it('nothing is begun where a group could go nowhere', async () => {
  const { params } = real
  await real.api('pauseNode', { params: { ...params, node: 'n2' } })
  const stopped = await run(['--nodes', 'n1', ...noting()])
  expect(stopped.code).toBe(3)
  expect(stopped.stdout).toMatch(/stopped at n1 \(check\): no other node could take (web|db) now/)
  expect((await nodes())[0]).toMatchObject({ paused: false, groups: 2 })
  const dry = await runCli(['maintenance', 'run', '--nodes', 'n1', '--dry-run'], { env: real.env })
  expect(dry.code).toBe(3)
  expect(dry.stdout).toContain('nowhere')
  await real.api('resumeNode', { params: { ...params, node: 'n2' }, body: {} })
}, 60_000)

it('without a command it goes on when somebody resumes the node', async () => {
  const under = run(['--nodes', 'n1'])
  await real.until((view) => view.nodes[0]?.paused === true && view.nodes[0].groups === 0)
  const params = { ...real.params, node: 'n1' }
  await real.api('resumeNode', { params, body: { failback: 'now' } })
  const done = await under
  expect(done.code, done.stderr).toBe(0)
  expect(done.stderr).toContain('n1: is yours. When done: holdfast node resume n1')
}, 60_000)

it('Ctrl-C leaves the node as it is, and says so', async () => {
  const stopped = await run(['--nodes', 'n1', '--', '/bin/sleep', '60'], {
    interruptAt: /runs here/,
  })
  expect(stopped.code).toBe(130)
  expect(stopped.stderr).toContain('Node n1 is still drained')
  await real.api('resumeNode', { params: { ...real.params, node: 'n1' }, body: {} })
}, 60_000)

it('a second Ctrl-C waits for nothing', async () => {
  // Deaf to the first one, but says that it has heard it.
  const deaf = `trap 'echo heard; exec > /dev/null 2>&1' INT; echo begun; sleep 9 > /dev/null 2>&1 & wait; wait; echo {} >> ${list}`
  const words = ['maintenance', 'run', '--yes', '--nodes', 'n1', '--', '/bin/sh', '-c', deaf]
  const stopped = await runCliProcess(words, {
    ...{ env: real.env, interruptAt: /^begun$/m, interruptAgainAt: /^heard$/m },
  })
  expect(stopped).toMatchObject({ code: 130, stdout: 'begun\nheard\n' })
  expect(existsSync(list)).toBe(false)
  await real.api('resumeNode', { params: { ...real.params, node: 'n1' }, body: {} })
}, 60_000)

it('a host that is to be another boot afterwards, and is not, is waited for and then a problem', async () => {
  const stopped = await run(['--nodes', 'n1', '--reboots', '--back-limit', '1s', ...noting()])
  expect(stopped.code).toBe(3)
  expect(stopped.stdout).toContain('stopped at n1 (back): ')
  expect(stopped.stdout).toContain('it is still the boot from before')
}, 60_000)
