/** A guard that stood still over the end of its lease: what was queued for it meanwhile starts nothing. */
import { describe, expect, test } from 'vitest'
import { type GuardEvent, leaseStands } from '../../probe/core/guard.ts'
import { DB, GuardBench, NGINX, PROCESS, SPEC, T, WEB } from './guard-bench.ts'

const STOP_MS = T.ttlMs - T.stopMs

/** Ready, with one start asked for and running, and one that waits at its gate. */
function frozenAt(nowMs: number): GuardBench {
  const guard = new GuardBench().ready()
  guard.child()
  guard.started()
  guard.step({ type: 'gatePermitAsked', ask: guard.ask({ resourceId: DB }), gateName: 'vm' })
  guard.nowMs = nowMs
  return guard
}

const ask = { requestId: 90, resourceId: DB, groupId: WEB, epoch: 1 }
const QUEUED: [what: string, event: GuardEvent][] = [
  ['a start of a child', { type: 'childAsked', ask, spec: SPEC }],
  ['a permit for a gate', { type: 'gatePermitAsked', ask, gateName: 'other' }],
  ['a gate that asks', { type: 'gateAsked', gateName: 'vm', process: PROCESS, incoming: false }],
  ['a grant', { type: 'granted', session: 1, groupId: DB, epoch: 7 }],
  ['an answer to a ping of before', { type: 'renewed', session: 1, lease: 'pong', sentAtMs: 1 }],
  ['the end of a workload', { type: 'nothingRuns', resourceId: NGINX, process: PROCESS }],
]

describe('L4, L5: after standing still the lapse comes first, whatever was queued', () => {
  test.each(QUEUED)('%s', (_what, event) => {
    const guard = frozenAt(STOP_MS)
    const effects = guard.step(event)
    expect(effects.filter((e) => e.type === 'spawn')).toEqual([])
    expect(effects.filter((e) => e.type === 'answerGate' && e.yes)).toEqual([])
    expect(effects.filter((e) => e.type === 'answerRhs' && e.ok)).toEqual([])
    expect(guard.toAgent.map((frame) => frame.t)).toContain('lapsed')
    expect(guard.state.grants.filter((g) => g.groupId === WEB)).toEqual([])
    // In any order, all of them: still nothing starts, and nothing that runs is forgotten.
    for (const [, next] of QUEUED) {
      const more = guard.step(next)
      expect(more.some((e) => e.type === 'spawn' || (e.type === 'answerGate' && e.yes))).toBe(false)
    }
  })

  test.each(QUEUED.slice(0, 3))(
    'a moment earlier it is a start like any other: %s',
    (_what, event) => {
      const guard = frozenAt(STOP_MS - 1)
      const types = guard.step(event).map((e) => e.type)
      expect(types).not.toContain('terminate')
      expect(guard.refusal).toBeNull()
    },
  )
})

test('G2: the lease is asked once more right before the fork, after the record is written', () => {
  const guard = frozenAt(STOP_MS - 1)
  guard.step({ type: 'childAsked', ask, spec: SPEC })
  expect(guard.types).toEqual(['persist', 'spawn'])
  expect(leaseStands(guard.state, STOP_MS - 1)).toBe(true)
  expect(leaseStands(guard.state, STOP_MS)).toBe(false)
  // C6: under policy `fence` the grant alone is enough, however long the lease is over.
  const policy = { takeover: 'fence' as const, number: 1 }
  expect(leaseStands({ ...guard.state, policy }, 100 * STOP_MS)).toBe(true)
})
