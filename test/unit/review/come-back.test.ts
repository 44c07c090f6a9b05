/** "It always comes back by itself": what must not make a host give up, or a group be stuck. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DutyDesk } from '../../../probe/agent/duty-desk.ts'
import type { Known } from '../../../probe/core/duties.ts'
import { PATIENT, refused } from '../../../probe/core/patience.ts'
import type { AgentToGuard } from '../../../schema/ipc.ts'
import { nodeFrame } from '../../../schema/session.ts'
import { run } from '../../scenarios/directives.ts'
import { World } from '../../scenarios/world.ts'
import { AgentBench, eventually } from './agent-bench.ts'

const refusal = (code: 'IDENTITY_IN_USE' | 'UNAVAILABLE') => ({ code, message: code })

test('a host booted anew, refused once, then cut off for minutes, is not given up at its next try', () => {
  // It was refused because its old lease had not ended (D3).
  const first = refused(PATIENT, refusal('IDENTITY_IN_USE'), 0)
  expect(first.giveUp).toBe(false)
  // Then the control plane was away; whoever is in between says so.
  const between = refused(first.patience, refusal('UNAVAILABLE'), 100_000)
  // It is back as a new instance: by D5 the node is Down in W(TTL_A), and refused until then.
  const again = refused(between.patience, refusal('IDENTITY_IN_USE'), 200_000)
  expect(again.giveUp).toBe(false)
})

test('a report with more local stops than one frame takes is not refused for ever', async () => {
  const world = new World()
  for (const line of ['cluster standard', 'nodes n1 n2', 'group web', 'resource web/nginx process'])
    run(world, line)
  const bench = new AgentBench(world)
  const stops = Array.from({ length: 1_001 }, (_, n) => ({
    resourceId: `00000000-0000-4000-9000-${n.toString(16).padStart(12, '0')}`,
    ...{ epoch: 1, persistentState: 0, knownSeq: 7 },
  }))
  // Made while the control plane was away for long, of one host that runs many resources.
  writeFileSync(join(bench.folder, 'local-stops.json'), JSON.stringify(stops))
  try {
    await bench.start([])
    const report = await eventually('it reports', () =>
      bench.fromNode.find((f) => f.t === 'report'),
    )
    // What the control plane makes of it: `badFrame`, and the same again with each new session.
    const told = { ...report, boot: report?.t === 'report' && world.id('guard', 'boot') }
    expect(nodeFrame.safeParse(told).error?.issues[0]).toBeUndefined()
  } finally {
    bench.end()
  }
})

test('a group leaves although no monitor of this host has the type of a member any more', () => {
  const world = new World()
  for (const line of ['cluster standard', 'nodes n1 n2', 'group web', 'resource web/nginx process'])
    run(world, line)
  run(world, 'idle n1')
  run(world, 'move web n2')
  const groupId = world.id('group', 'web')
  const known: Known = {
    unhosted: () => true,
    nodeId: world.id('node', 'n1'),
    hive: world.hive,
    grants: [{ groupId, epoch: 1 }],
    current: true,
    // It runs, by the guard's record; the host policy that allowed it is gone, or its monitor dies.
    adopted: new Set([world.id('resource', 'nginx')]),
    statuses: new Map(),
  }
  expect(world.hive.groups.get(groupId)?.ownership.phase).toBe('releasing')
  const told: AgentToGuard[] = []
  new DutyDesk((frame) => told.push(frame)).act(
    { hostOf: () => null, aloneHostOf: () => null, isReady: () => false },
    known,
  )
  expect(told).toContainEqual({ t: 'stopGroup', groupId, epoch: 1 })
})
