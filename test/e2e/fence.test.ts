/** Fencing with real processes: a host is lost, another one runs the fence agent, and what follows. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { addFence, fenceFolder, living, Plug } from '../fence/plug.ts'
import { endDemo, eventually, startDemo, starts } from './demo.ts'

let demo: Demo
let plugs: Plug[]

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  demo = await startDemo({ folder, ownBoot: true, policy: { fence: fenceFolder(folder) } })
  plugs = demo.hosts.map((host) => new Plug(demo, host))
  await demo.addGroup('ledger', { failoverThreshold: 1_000, failoverPeriodMs: 1 })
  await demo.addWitness('ledger', 'ledger')
  await demo.online('ledger')
})
afterAll(async () => {
  for (const plug of plugs ?? []) plug.end()
  await endDemo(demo)
})
beforeEach(async () => {
  for (const plug of plugs) plug.reset()
})

const owner = async () => (await demo.online('ledger')).owner as string
const plugOf = (name: string) => plugs.find((p) => p.host.name === name) as Plug

async function eventsAfter(seq: number) {
  const query = { after: seq, limit: 500 }
  return (await demo.api('listEvents', { params: { cluster: CLUSTER }, query })).events
}

test('F1, F2: a host that hangs is killed by another one, and its group runs elsewhere at once', async () => {
  const name = await owner()
  const plug = plugOf(name)
  await addFence(demo, plug, { delayMs: 0 })
  const { seq } = await demo.view()
  const before = starts(demo).length
  const pid = starts(demo).at(-1)?.pid as number
  const { agent, guard } = plug.host.treePids()
  // The host lives, and its workload too: only the session is gone, and the agent cannot come back.
  process.kill(guard as number, 'SIGSTOP')
  process.kill(agent as number, 'SIGKILL')
  const lostMs = performance.now()
  await eventually('it runs elsewhere', () => starts(demo).length > before, 5_000)
  const tookMs = performance.now() - lostMs
  expect(living([pid, guard as number, agent as number])).toEqual([])
  expect((await demo.online('ledger')).owner).not.toBe(name)
  expect(plug.calls().slice(0, 2)).toEqual(['off', 'status'])
  const down = (await eventsAfter(seq)).find((e) => e.type === 'node.down')
  expect(down).toMatchObject({ subject: name, because: { code: 'fenceConfirmed', rule: 'F2' } })
  // Well before its lease had ended: W(TTL) is 1.64 s.
  expect(tookMs).toBeLessThan(1_400)
  expect(demo.overlaps('ledger')).toBe(0)
  // It is switched on again, with another boot of the guard, and welcome.
  await demo.allUp()
  expect(plug.calls()).toContain('on')
  await sleep(100)
})
