/** What only a process of its own shows: its pipes, and how it ends. */
import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { FakeControlPlane, KEY } from './fake-control-plane.ts'
import { BIN, runCliProcess } from './run-cli.ts'

let plane: FakeControlPlane
const env = () => ({ HOLDFAST_URL: plane.url, HOLDFAST_API_KEY: KEY })
beforeEach(async () => {
  plane = new FakeControlPlane()
  await plane.listen()
})
afterEach(() => plane.close())

it('a reader that has seen enough is not an error', () => {
  const line = `'${process.execPath}' '${BIN}' --help | true; echo "$?" "\${PIPESTATUS[0]}"`
  const { stdout, stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8' })
  expect({ stdout, stderr }).toEqual({ stdout: '0 0\n', stderr: '' })
})

it('reads what is sent from its standard input', async () => {
  const words = ['api', 'POST', '/v1/clusters/{cluster}/groups', '--body', '-']
  const made = await runCliProcess(words, { env: env(), input: '{"name":"made"}\n' })
  expect(made.code, made.stderr).toBe(0)
  expect(plane.calls.at(-1)?.body).toMatchObject({ name: 'made' })
})

it('Ctrl-C ends it with 130', async () => {
  const words = ['events', '--follow', '--after', '40']
  const ended = await runCliProcess(words, { env: env(), interruptAt: /n1 owns it/ })
  expect(ended.code, ended.stderr).toBe(130)
})

it('without a command it shows what there is, and ends with 0; with a wrong one it ends with 2', async () => {
  const [all, wrong] = await Promise.all([runCliProcess([]), runCliProcess(['statsu'])])
  expect(all).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Exit codes:') })
  expect(wrong).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('[USAGE]') })
})
