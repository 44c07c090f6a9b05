import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { GuardEvent } from '../../probe/core/guard.ts'
import { DB, GuardBench, NGINX, PG, PROCESS, SPEC, T, WEB } from './guard-bench.ts'

const MIDS = ['00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-0000000000c2']

test('whatever happens, in whatever order: what the guard promises holds', () => {
  const session = fc.constantFrom(1, 2)
  const policy = fc.record({
    takeover: fc.constantFrom('lease' as const, 'lease' as const, 'fence' as const),
    number: fc.constantFrom(0, 1, 2),
  })
  const group = fc.constantFrom(WEB, DB)
  const epoch = fc.constantFrom(1, 2, 3, 4)
  const resourceId = fc.constantFrom(NGINX, PG)
  const ask = fc.record({ requestId: fc.nat(99), resourceId, groupId: group, epoch })
  const mid = fc.constantFrom(...MIDS)
  const gateName = fc.constantFrom('g1', 'g2')
  const event = fc.oneof(
    { weight: 3, arbitrary: fc.record({ type: fc.constant('challenged' as const), session }) },
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('welcomed' as const),
        session,
        timing: fc.constant(T),
        policy,
      }),
    },
    fc.record({ type: fc.constant('sessionClosed' as const), session }),
    fc.record({ type: fc.constant('policyTold' as const), session, policy }),
    {
      weight: 8,
      arbitrary: fc.record({
        type: fc.constant('renewed' as const),
        session,
        lease: fc.constantFrom('pong' as const, 'authority' as const),
        sentAtMs: fc.constantFrom(-1, -500, -5_000),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        type: fc.constant('granted' as const),
        session,
        groupId: group,
        epoch,
      }),
    },
    fc.record({ type: fc.constant('groupStopAsked' as const), groupId: group, epoch }),
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('childAsked' as const),
        ask,
        spec: fc.constant(SPEC),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ type: fc.constant('gatePermitAsked' as const), ask, gateName }),
    },
    fc.record({
      type: fc.constant('gateAsked' as const),
      gateName,
      process: fc.constant(PROCESS),
      incoming: fc.boolean(),
    }),
    fc.record({ type: fc.constant('copyAsked' as const), ask, mid, gateName }),
    fc.record({ type: fc.constant('copiesWanted' as const), mids: fc.subarray([...MIDS]) }),
    fc.record({ type: fc.constant('carried' as const), ask, mid }),
    fc.record({
      type: fc.constant('childStarted' as const),
      resourceId,
      process: fc.constant(PROCESS),
      group: fc.constant('w'),
    }),
    fc.record({
      type: fc.constant('resourceStopAsked' as const),
      resourceId,
      requestId: fc.nat(99),
    }),
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant('nothingRuns' as const),
        resourceId,
        process: fc.constantFrom(PROCESS, null),
      }),
    },
    fc.record({ type: fc.constant('everythingMustStop' as const) }),
    fc.record({ type: fc.constant('tick' as const) }),
    fc.record({ type: fc.constant('restart' as const), boot: fc.constantFrom('boot-1', 'boot-2') }),
  )
  const moves = fc.array(
    fc.tuple(fc.constantFrom(0, 0, 0, 1, 200, 900, 4_500), fc.boolean(), event),
    {
      minLength: 10,
      maxLength: 100,
      size: 'max',
    },
  )
  let starts = 0
  fc.assert(
    fc.property(moves, (list) => {
      const bench = new GuardBench().ready()
      for (const [ms, good, move] of list) {
        bench.nowMs += ms
        if (move.type === 'restart') {
          if (move.boot !== bench.state.boot) bench.granted.clear()
          bench.restart(bench.state.boot === 'boot-2' ? 'boot-2' : move.boot)
        } else if (move.type === 'renewed')
          bench.step({
            ...move,
            session: good ? (bench.state.session?.number ?? 1) : move.session,
            sentAtMs: bench.nowMs + move.sentAtMs,
          })
        else bench.step(good ? fitting(bench, move) : move)
        starts += bench.types.filter((type) => type === 'spawn').length
      }
    }),
    { numRuns: 2_000, ...(process.env['CI'] && { seed: 1 }) },
  )
  // The property would hold of a guard that never says yes.
  expect(starts).toBeGreaterThan(200)
})

/** The same move with the session, group and epoch that are right now: else few would get far. */
function fitting(bench: GuardBench, move: GuardEvent): GuardEvent {
  const [grant] = bench.state.grants
  const session = bench.state.session?.number ?? 1
  switch (move.type) {
    case 'welcomed':
      return { ...move, session }
    case 'granted':
      return { ...move, session, epoch: (bench.granted.get(move.groupId) ?? 0) + 1 }
    case 'childAsked':
    case 'gatePermitAsked':
      return grant ? { ...move, ask: { ...move.ask, ...grant } } : move
    case 'nothingRuns': {
      const record = bench.state.records.find((r) => r.resourceId === move.resourceId)
      return { ...move, process: record?.process ?? null }
    }
    default:
      return move
  }
}
