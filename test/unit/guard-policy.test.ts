/** Takeover policy `fence` in the guard, and the watchdog (G12). */
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { guardDeadline } from '../../probe/core/guard.ts'
import { fedInTime, mayDisarm, mayFeed, watchdogProblem } from '../../probe/core/watchdog.ts'
import type { PolicyTold } from '../../schema/fencing.ts'
import { PROFILES } from '../../schema/timing.ts'
import { GuardBench, NGINX, PROCESS, T, WEB } from './guard-bench.ts'

const FENCE: PolicyTold = { takeover: 'fence', number: 1 }
const BOUND: PolicyTold = { takeover: 'lease', number: 2 }
const DAY_MS = 86_400_000

let guard: GuardBench
beforeEach(() => {
  guard = new GuardBench()
})

/** Runs `web` under policy fence. */
function unbound(): GuardBench {
  guard.ready()
  guard.step({ type: 'policyTold', session: 1, policy: FENCE })
  guard.child()
  guard.started()
  return guard
}

const taken = () => guard.toAgent.filter((f) => f.t === 'policyTaken')

describe('policy fence: what it holds is its own until this boot is over', () => {
  test('L4, L5: no lapse, however long the leases are over; and by policy lease there is one', () => {
    unbound()
    expect(guardDeadline(guard.state)).toBeNull()
    guard.nowMs = DAY_MS
    guard.step({ type: 'tick' })
    expect(guard.state.grants).toEqual([{ groupId: WEB, epoch: 1 }])
    expect(guard.effects).toEqual([])
    // It can fail: the same with the policy of every cluster that was not told otherwise.
    guard = new GuardBench().ready()
    guard.nowMs = DAY_MS
    guard.step({ type: 'tick' })
    expect(guard.state.grants).toEqual([])
  })

  test('C3, C6: the grant is enough to start again where it stands, without a session', () => {
    unbound()
    guard.step({ type: 'sessionClosed', session: 1 })
    guard.nowMs = DAY_MS
    guard.gone(NGINX)
    guard.child()
    expect(guard.refusal).toBeNull()
    expect(guard.types).toContain('spawn')
    // Without the grant nothing starts, under this policy or any other.
    guard.step({ type: 'groupStopAsked', groupId: WEB, epoch: 1 })
    guard.child()
    expect(guard.refusal).toBe('noGrant')
  })

  test('G10: a new guard of the same boot adopts it after the deadline; of another boot it does not', () => {
    unbound()
    guard.nowMs = DAY_MS
    guard.restart()
    expect(guard.state.grants).toEqual([{ groupId: WEB, epoch: 1 }])
    expect(guard.types).toEqual([])
    guard.restart('boot-2')
    expect(guard.state).toMatchObject({ grants: [], policy: { takeover: 'lease', number: 0 } })
  })

  test('G10, G9: a file of before the policy was told: the deadline counts', () => {
    guard.ready()
    const before = guard.file
    guard.step({ type: 'policyTold', session: 1, policy: FENCE })
    guard.file = before
    guard.nowMs = DAY_MS
    guard.restart()
    expect(guard.state.grants).toEqual([])
  })

  test('S3, S4: it reports what it holds after however long, and stops all of it if refused', () => {
    unbound()
    guard.step({ type: 'sessionClosed', session: 1 })
    guard.nowMs = DAY_MS
    guard.step({ type: 'challenged', session: 2 })
    expect(guard.toAgent).toEqual([{ t: 'held', session: 2, held: [{ groupId: WEB, epoch: 1 }] }])
    guard.step({ type: 'everythingMustStop' })
    expect(guard.types).toContain('terminate')
    expect(guard.state.grants).toEqual([])
  })

  test('C1: told on another session, or before the welcome: nothing changes', () => {
    guard.ready()
    guard.step({ type: 'policyTold', session: 7, policy: FENCE })
    expect(guard.state.policy.takeover).toBe('lease')
    guard.step({ type: 'challenged', session: 2 })
    guard.step({ type: 'policyTold', session: 2, policy: FENCE })
    expect(guard.state.policy.takeover).toBe('lease')
    guard.step({ type: 'welcomed', session: 2, timing: T, policy: FENCE })
    expect(guard.state.policy).toEqual(FENCE)
    expect(taken()).toEqual([])
  })
})

describe('back to policy lease', () => {
  test('waits for both leases, is on file, and only then said (G9)', () => {
    unbound()
    guard.nowMs = DAY_MS
    guard.step({ type: 'policyTold', session: 1, policy: BOUND })
    expect(taken()).toEqual([])
    guard.step({ type: 'renewed', session: 1, lease: 'pong', sentAtMs: DAY_MS })
    expect(taken()).toEqual([])
    expect(guard.state.policy).toEqual(FENCE)
    guard.step({ type: 'renewed', session: 1, lease: 'authority', sentAtMs: DAY_MS })
    expect(taken()).toEqual([{ t: 'policyTaken', number: 2 }])
    expect(guard.types.indexOf('persist')).toBeLessThan(guard.types.indexOf('toAgent'))
    expect(guard.state.grants).toHaveLength(1)
    // And bound it is: the lease that runs out next stops everything (L4).
    guard.nowMs = DAY_MS + 6_000
    guard.step({ type: 'tick' })
    expect(guard.state.grants).toEqual([])
  })

  test('an empty-handed guard turns at once; one that was never otherwise says so when asked', () => {
    guard.session(1)
    guard.step({ type: 'policyTold', session: 1, policy: FENCE })
    guard.step({ type: 'policyTold', session: 1, policy: BOUND })
    expect(taken()).toEqual([{ t: 'policyTaken', number: 2 }])
    guard.step({ type: 'policyTold', session: 1, policy: BOUND })
    expect(taken()).toHaveLength(1)
    // A cluster that never had another policy has nothing to be told: no report per welcome.
    guard.session(2)
    expect(taken()).toEqual([])
  })

  test('told to go on again before it had turned: it says nothing of the change that is over', () => {
    unbound()
    guard.nowMs = DAY_MS
    guard.step({ type: 'policyTold', session: 1, policy: BOUND })
    guard.step({ type: 'policyTold', session: 1, policy: { takeover: 'fence', number: 3 } })
    guard.renew(1)
    expect(taken()).toEqual([])
    expect(guard.state.policy).toEqual({ takeover: 'fence', number: 3 })
  })
})

describe('the watchdog (G12)', () => {
  const WD = 3_000

  test('G12: fed while the reset would come before the lease end, or nothing is there to be reset', () => {
    guard.ready()
    guard.child()
    guard.started()
    // Leases end at 6 s and 60 s.
    expect(mayFeed(guard.state, WD, 3_000)).toBe(true)
    expect(mayFeed(guard.state, WD, 3_001)).toBe(false)
    const { leases, policy } = guard.state
    const nothing = { leases, policy, records: [], stops: [] }
    expect(mayFeed(nothing, WD, DAY_MS)).toBe(true)
    expect(mayFeed({ ...nothing, stops: [{ kind: 'lapse' }] }, WD, DAY_MS)).toBe(false)
    expect(mayFeed({ ...guard.state, policy: FENCE }, WD, DAY_MS)).toBe(true)
  })

  test('G12: a yes needs the reset after the last feed to come before the lease end', () => {
    guard.ready()
    guard.step({ type: 'fed', timeoutMs: WD })
    guard.nowMs = 100
    guard.child()
    expect(guard.refusal).toBeNull()
    guard = new GuardBench().ready()
    guard.nowMs = 3_500
    guard.step({ type: 'fed', timeoutMs: WD })
    guard.child()
    expect(guard.refusal).toBe('watchdog')
    // A renewed lease ends later: now it does.
    guard.renew(1, 3_500)
    guard.child()
    expect(guard.refusal).toBeNull()
  })

  test('G12: back to policy lease only with a feed that a reset would follow in time', () => {
    unbound()
    guard.nowMs = DAY_MS
    guard.step({ type: 'fed', timeoutMs: 5_900 })
    guard.step({ type: 'policyTold', session: 1, policy: BOUND })
    guard.renew(1, DAY_MS - 200)
    expect(guard.state.policy).toEqual(FENCE)
    guard.renew(1, DAY_MS)
    expect(guard.state.policy).toEqual(BOUND)
  })

  test('G12: a device that is too slow for the leases is told of; switched off when nothing is left', () => {
    expect(watchdogProblem(1_000, PROFILES.fast)).toBeNull()
    expect(watchdogProblem(3_000, PROFILES.standard)).toBeNull()
    expect(watchdogProblem(10_000, PROFILES.wan)).toBeNull()
    expect(watchdogProblem(5_000, PROFILES.standard)).toMatch(/less than 4500 ms/)
    expect(mayDisarm(guard.state)).toBe(true)
    guard.ready()
    expect(mayDisarm(guard.state)).toBe(false)
  })

  test('G12: whenever the guard dies, the reset comes before the lease end of what runs', () => {
    const event = fc.oneof(
      fc.constant('feed' as const),
      fc.constant('renew' as const),
      fc.constant('start' as const),
      fc.constant('end' as const),
    )
    const moves = fc.array(fc.tuple(fc.nat(2_000), event), { maxLength: 60 })
    let ran = 0
    const run = (feed: typeof mayFeed, list: [number, 'feed' | 'renew' | 'start' | 'end'][]) => {
      const bench = new GuardBench().ready()
      bench.step({ type: 'fed', timeoutMs: WD })
      for (const [ms, what] of list) {
        bench.nowMs += ms
        if (what === 'renew') bench.renew(1)
        if (what === 'feed' && feed(bench.state, WD, bench.nowMs))
          bench.step({ type: 'fed', timeoutMs: WD })
        if (what === 'start') {
          bench.child()
          if (bench.types.includes('spawn')) bench.started()
        }
        if (what === 'end' && bench.state.records.length > 0)
          bench.step({ type: 'nothingRuns', resourceId: NGINX, process: PROCESS })
        // The guard dies here: what runs is reset T_wd after the last feed.
        if (bench.state.records.length === 0 || bench.state.stops.length > 0) continue
        ran += 1
        if (!fedInTime(bench.state)) return false
      }
      return true
    }
    fc.assert(
      fc.property(moves, (list) => run(mayFeed, list)),
      { numRuns: 500 },
    )
    expect(ran).toBeGreaterThan(500)
    // It bites: fed until a deadline has been missed is not enough.
    const always = fc.check(
      fc.property(moves, (list) => run(() => true, list)),
      { numRuns: 500 },
    )
    expect(always.failed).toBe(true)
  })
})
