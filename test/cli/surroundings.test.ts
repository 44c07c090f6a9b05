/** The command within another process: whatever it takes and gives are the streams that it is run with. */
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { run } from '../../cli/run.ts'
import { FakeControlPlane, KEY } from './fake-control-plane.ts'
import { Heard, runCli, surroundings } from './run-cli.ts'

let plane: FakeControlPlane
const env = () => ({ HOLDFAST_URL: plane.url, HOLDFAST_API_KEY: KEY })
beforeEach(async () => {
  plane = new FakeControlPlane()
  await plane.listen()
})
afterEach(() => plane.close())

const terminal = (columns: number) => Object.assign(new Heard(), { isTTY: true, columns })

it('help is as wide as its terminal, of subcommands too', async () => {
  const help = async (columns: number, words: string[]) => {
    const stdout = terminal(columns)
    expect(await run([...words, '--help'], surroundings({ stdout }))).toBe(0)
    return stdout.text
  }
  for (const words of [['group', 'change'], ['move']]) {
    const [narrow, wide] = [await help(100, words), await help(160, words)]
    const longest = (text: string) => Math.max(...text.split('\n').map((line) => line.length))
    expect(longest(narrow)).toBeLessThanOrEqual(100)
    expect(longest(wide)).toBeGreaterThan(100)
    expect(longest(wide)).toBeLessThanOrEqual(160)
    expect((await runCli([...words, '--help'])).stdout).toBe(await help(80, words))
  }
})

it('asks on the terminal that it has, and takes the answer from there', async () => {
  const typed = Object.assign(new PassThrough(), { isTTY: true })
  const stderr = terminal(80)
  const around = surroundings({ stdin: typed, stderr, env: env() })
  const pending = run(['resource', 'delete', 'app'], around)
  await expect.poll(() => stderr.text).toContain('This will delete resource app. Go on? [y/N]')
  expect(plane.calls).toEqual([])
  typed.write('y\n')
  expect(await pending).toBe(0)
  expect(plane.calls.map((call) => call.route)).toContain('deleteResource')
})

it('many at once: nothing of one is seen in another', async () => {
  const lines = ['status --color always', 'status', 'status --json', 'group show', 'group list']
  const one = (line: string) => runCli(line.split(' '), { env: env() })
  const alone = []
  for (const line of lines) alone.push(await one(line))
  expect(await Promise.all(lines.map(one))).toEqual(alone)
  expect(new Set(alone.map(({ stdout, stderr }) => stdout + stderr)).size).toBe(lines.length)
})

it('scenario files are played by a child whose input and output are those of the command', async () => {
  const input = 'nonsense: 1\n'
  const bad = await runCli(['sim', 'run', '-'], { input })
  expect(bad).toMatchObject({ code: 2, stdout: '' })
  expect(bad.stderr).toContain('nonsense')
})
