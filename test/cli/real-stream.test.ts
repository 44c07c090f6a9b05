/** The command and a real control plane that is killed under it: nothing lost, nothing twice. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { killPid } from '../../demo/host.ts'
import { RealCluster } from './real-cluster.ts'
import { runCliProcess } from './run-cli.ts'

let real: RealCluster
beforeAll(async () => {
  real = await RealCluster.start()
}, 60_000)
afterAll(() => real?.stop())

const group = (name: string) =>
  real.api('createGroup', { params: real.params, body: { name } }).catch(() => null)

/** As soon as the control plane takes it. */
async function made(name: string): Promise<void> {
  while (!(await group(name))) await new Promise((soon) => setTimeout(soon, 50))
}

it('S-11: events --follow over kills of the control plane has every update once, in order', async () => {
  const first = (await real.view()).seq
  const user = new AbortController()
  const args = ['events', '--follow', '--after', String(first), '--json']
  const pending = runCliProcess(args, { env: real.env, signal: user.signal })
  // Its first answer it has to get; from then on it may be left alone at any time.
  await new Promise((soon) => setTimeout(soon, 1_500))
  for (let round = 0; round < 3; round += 1) {
    await made(`before-${round}`)
    killPid(real.control.workerdPid() as number)
    await made(`after-${round}`)
  }
  const last = (await real.view()).seq
  expect(last).toBeGreaterThanOrEqual(first + 6)
  await new Promise((soon) => setTimeout(soon, 3_000))
  user.abort()
  const { stdout, stderr, code } = await pending
  expect({ code, stderr }).toEqual({ code: 130, stderr: expect.not.stringContaining('error') })
  const seqs = stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { seq: number }).seq)
  expect(seqs.filter((seq) => seq <= last)).toEqual(
    Array.from({ length: last - first }, (_, i) => first + 1 + i),
  )
}, 60_000)
