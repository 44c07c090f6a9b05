import { expect, test } from 'vitest'
import {
  emptyGuard,
  type GuardEffect,
  type GuardEvent,
  type GuardState,
  guardStep,
  heldGroups,
} from '../../../probe/core/guard.ts'
import { PROFILES } from '../../../schema/timing.ts'

const GROUP = '00000000-0000-4000-8000-0000000000f0'
const RESOURCE = '00000000-0000-4000-8000-00000000000a'
const ASK = { requestId: 1, resourceId: RESOURCE, groupId: GROUP, epoch: 1 }
const CHILD = { pid: 4_711, startTicks: 99 }

class Bench {
  state: GuardState = emptyGuard('boot-0000', '11111111-1111-4111-8111-111111111111')
  step(event: GuardEvent, nowMs: number): readonly GuardEffect[] {
    const { state, effects } = guardStep(this.state, event, nowMs)
    this.state = state
    return effects
  }
}

test('G5: a lapse that is due while a start is under way ends the process that was started', () => {
  const guard = new Bench()
  guard.step({ type: 'challenged', session: 1 }, 0)
  guard.step(
    {
      type: 'welcomed',
      session: 1,
      timing: PROFILES.fast,
      policy: { takeover: 'lease', number: 0 },
    },
    0,
  )
  for (const lease of ['pong', 'authority'] as const)
    guard.step({ type: 'renewed', session: 1, lease, sentAtMs: 0 }, 0)
  guard.step({ type: 'granted', session: 1, groupId: GROUP, epoch: 1 }, 0)
  const spec = { command: '/bin/sleep', args: [], env: {} }
  // The stop time is 1,000. The yes is just in time, the fork takes longer.
  const yes = guard.step({ type: 'childAsked', ask: ASK, spec }, 999)
  expect(yes.map((e) => e.type)).toEqual(['persist', 'spawn'])
  const effects = guard.step(
    { type: 'childStarted', resourceId: RESOURCE, process: CHILD, group: 'w-1' },
    1_004,
  )
  const terminate = effects.find((e) => e.type === 'terminate')
  expect(terminate).toMatchObject({ record: { process: CHILD, group: 'w-1' } })
  expect(heldGroups(guard.state)).toEqual([{ groupId: GROUP, epoch: 1 }])
  expect(guard.state.stops).toEqual([{ kind: 'lapse' }])
})
