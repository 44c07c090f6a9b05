/** Fencing as the real agent takes part in it: its own boot that is over, policies, orders of an old session. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { run } from '../../scenarios/directives.ts'
import { World } from '../../scenarios/world.ts'
import { AgentBench, eventually } from './agent-bench.ts'

let world: World
let bench: AgentBench
beforeEach(async () => {
  world = new World()
  for (const line of ['cluster standard', 'nodes n1 n2', 'group web', 'resource web/nginx process'])
    run(world, line)
  bench = new AgentBench(world)
  await bench.start([{ groupId: world.id('group', 'web'), epoch: 1 }])
  await eventually('held', () => bench.told(world.id('resource', 'nginx'))?.persistentState === 1)
})
afterEach(() => bench.end())

const order = {
  action: 'off',
  request: 'r1',
  target: { id: '00000000-0000-4000-8000-0000000000a2', name: 'n2' },
  boot: 'boot-n2-1',
  agent: 'fence_dummy',
  options: {},
  secrets: null,
  timeoutMs: 1_000,
}

test.each(['bootOver', 'heldNotOwned'])(
  'F3, S4: refused with %s it stops everything',
  async (code) => {
    bench.send({ t: 'bye', code, detail: 'stop everything' })
    await eventually('stops', () => bench.toGuard.some((f) => f.t === 'stopAll'))
  },
)

test('a refusal that says nothing of what runs stops nothing (WAITS_FOR_FENCE)', async () => {
  bench.send({ t: 'bye', code: 'waitsForFence', detail: 'another boot' })
  await eventually('closed', () => bench.toGuard.some((f) => f.t === 'sessionClosed'))
  expect(bench.toGuard.filter((f) => f.t === 'stopAll' || f.t === 'fatal')).toEqual([])
})

test('C1: the policy goes to the guard with the session that it came on', async () => {
  bench.send({ t: 'policy', policy: { takeover: 'fence', number: 1 } })
  const told = await eventually('told', () => bench.toGuard.find((f) => f.t === 'policy'))
  const welcomed = bench.toGuard.find((f) => f.t === 'welcomed')
  expect(told).toMatchObject({ policy: { takeover: 'fence', number: 1 } })
  expect(welcomed).toMatchObject({ session: (told as { session: number }).session })
})

test('F1: without a section in the host policy nothing is run, and the answer says so', async () => {
  bench.send({ t: 'fence', order })
  const frame = await eventually('told', () => bench.fromNode.find((f) => f.t === 'fenced'))
  expect(frame).toMatchObject({
    request: 'r1',
    boot: 'boot-n2-1',
    outcome: 'failed',
    detail: expect.stringContaining(
      "this host's policy does not allow the fence agent fence_dummy",
    ),
  })
  // S-16: it is said again on the next session, until it is durable.
  bench.fromNode.length = 0
  bench.send({ t: 'bye', code: 'superseded', detail: '' })
  await eventually('again', () => bench.fromNode.find((f) => f.t === 'fenced'))
})
