/** S-62, S-68: local stops between the real agent and a control plane that answers as the real one. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { run } from '../../scenarios/directives.ts'
import { World } from '../../scenarios/world.ts'
import { AgentBench, eventually } from './agent-bench.ts'

let world: World
let bench: AgentBench
let nginx: string
beforeEach(async () => {
  world = new World()
  for (const line of ['cluster standard', 'nodes n1 n2', 'group web', 'resource web/nginx process'])
    run(world, line)
  nginx = world.id('resource', 'nginx')
  bench = new AgentBench(world)
  await bench.start([{ groupId: world.id('group', 'web'), epoch: 1 }])
  await eventually('held', () => bench.told(nginx)?.persistentState === 1)
})
afterEach(() => bench.end())

const online = (status: 'online' | 'stopped') =>
  bench.status({ resourceId: nginx, epoch: 1, status, restarts: 0, gaveUp: false })

test('the hive has decided otherwise: from the ack on its word counts, also if nothing else happens', async () => {
  online('online')
  // At the same time: a stop here, and an operator's offline and online there.
  bench.stopHere('nginx')
  const { n } = await eventually('told', () => bench.intent())
  expect(bench.told(nginx)).toMatchObject({ persistentState: 0, target: 0 })
  run(world, 'offline web')
  run(world, 'online web')
  bench.snapshot()
  await new Promise((resolve) => setTimeout(resolve, 100))
  bench.send({ t: 'ack', n })
  await eventually('wanted again', () => bench.told(nginx)?.persistentState === 1)
})

test('a stop by its own manager, told to an agent whose replica was lost, is told once that is there', async () => {
  const lost = new AgentBench(world)
  lost.snapshots = false
  await lost.start([{ groupId: world.id('group', 'web'), epoch: 1 }])
  lost.status({ resourceId: nginx, epoch: 1, status: 'stopped', restarts: 0, gaveUp: false })
  await new Promise((resolve) => setTimeout(resolve, 50))
  // It would count as older than all that was ever wanted, and be declined.
  expect(lost.intent()).toBeUndefined()
  lost.snapshot()
  const { knownSeq } = await eventually('told', () => lost.intent())
  expect(knownSeq).toBe(world.hive.seq)
  lost.end()
})

test('a stop by its own manager while the replica is being fetched anew is told once it is there', async () => {
  online('online')
  await new Promise((resolve) => setTimeout(resolve, 50))
  bench.snapshots = false
  const reports = bench.fromNode.filter((f) => f.t === 'report').length
  // The journal was too short: a new session, and a snapshot. Before it comes, `virsh shutdown`.
  bench.send({ t: 'bye', code: 'resync', detail: 'the journal is shorter than that' })
  await eventually('back', () => bench.fromNode.filter((f) => f.t === 'report').length > reports)
  online('stopped')
  await new Promise((resolve) => setTimeout(resolve, 50))
  bench.snapshot()
  await eventually('told', () => bench.intent()?.resourceId === nginx)
})
