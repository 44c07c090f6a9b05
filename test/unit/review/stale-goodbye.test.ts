/** S4: the answer to a goodbye of the boot before ends nobody who has not said one. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { run } from '../../scenarios/directives.ts'
import { World } from '../../scenarios/world.ts'
import { AgentBench, eventually } from './agent-bench.ts'

let bench: AgentBench
beforeEach(async () => {
  const world = new World()
  for (const line of ['cluster standard', 'nodes n1 n2', 'group web', 'resource web/nginx process'])
    run(world, line)
  bench = new AgentBench(world)
  await bench.start([{ groupId: world.id('group', 'web'), epoch: 1 }])
  await eventually('held', () => bench.told(world.id('resource', 'nginx')) !== undefined)
})
afterEach(() => bench.end())

test('a host that has booted anew is not shut down by it, and comes back', async () => {
  const reports = () => bench.fromNode.filter((f) => f.t === 'report').length
  const before = reports()
  bench.send({ t: 'bye', code: 'closed', detail: 'goodbye' })
  await eventually('a new session', () => reports() > before)
  expect(bench.toGuard.map((f) => f.t)).not.toContain('shutdownDone')
})
