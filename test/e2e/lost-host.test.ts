/** `holdfast node remove --lost`: what it waits for, and what becomes of a host that comes back after all. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { ROOT } from '../tidy/tracked-files.ts'
import { endDemo, eventually, startDemo, starts } from './demo.ts'

let demo: Demo
beforeAll(async () => {
  demo = await startDemo({ profile: 'standard' })
  await demo.addGroup('ledger')
  await demo.addWitness('ledger', 'ledger')
  await demo.online('ledger', 'n1')
  await eventually('the witness writes', () => starts(demo).length === 1)
})
afterAll(() => endDemo(demo))

function holdfast(...args: string[]) {
  const env = {
    ...process.env,
    HOLDFAST_URL: demo.control.url,
    HOLDFAST_API_KEY: demo.control.key,
    HOLDFAST_CLUSTER: CLUSTER,
  }
  const run = promisify(execFile)(process.execPath, [join(ROOT, 'cli/main.ts'), ...args], { env })
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code: code as number, stdout, stderr }),
  )
}

test('NODE_NOT_DOWN: one that is connected is not lost', async () => {
  const { code, stderr } = await holdfast('node', 'remove', 'n1', '--lost', '--yes')
  expect(code).toBe(8)
  expect(stderr).toMatch(/NODE_NOT_DOWN/)
  expect((await demo.view()).nodes).toHaveLength(3)
})

test('D3: waits until it is Down, says why, removes it; its group runs elsewhere, once', async () => {
  demo.host('n1').powerCut()
  const { code, stdout, stderr } = await holdfast(
    'node',
    'remove',
    'n1',
    '--lost',
    '--yes',
    '--json',
  )
  expect(stderr).toMatch(/waiting until n1 is Down: .*it may still run ledger \(rule D3\)/)
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ seq: expect.any(Number) })
  expect((await demo.view()).nodes.map((n) => n.name)).toEqual(['n2', 'n3'])
  await eventually('it runs elsewhere', () => starts(demo).length === 2, 30_000)
  expect(demo.overlaps('ledger')).toBe(0)
})

test('NOT_A_MEMBER: when it comes back after all it runs nothing, and says why', async () => {
  const host = demo.host('n1')
  host.start()
  await eventually(
    'it says why',
    () => /NOT_A_MEMBER/.test(readFileSync(join(host.options.folder, 'probe.log'), 'utf8')),
    20_000,
  )
  expect((await host.status())?.guard).toMatchObject({ grants: [], records: [] })
  expect(starts(demo)).toHaveLength(2)
  expect(demo.overlaps('ledger')).toBe(0)
})
