import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { Seldom } from '../../probe/agent/seldom.ts'
import { mayStart, NO_LEASES, renewed, stopTime } from '../../probe/core/lease.ts'
import { reconnectDelayMs } from '../../probe/core/reconnect.ts'
import { afterFailure } from '../../probe/core/restart-policy.ts'
import { DEFAULT_RESTART } from '../../schema/resource-types/index.ts'
import { PROFILES, timingProblems, waitMs } from '../../schema/timing.ts'
import { concernedNodes, isRepeated } from '../../worker/core/communications-manager.ts'
import { nextPhase, START_PHASES } from '../../worker/core/event-processor.ts'
import { Liveness, suspicionMs } from '../../worker/liveness.ts'

const T = PROFILES.standard
const instant = fc.integer({ min: 0, max: 1_000_000 })

describe('timing profiles', () => {
  test.each(Object.entries(PROFILES))('%s: the relations hold (G6, L3, L4)', (_, timing) => {
    expect(timingProblems(timing)).toEqual([])
  })

  test('a profile that breaks one is named', () => {
    expect(timingProblems({ ...T, stopMs: 1_000 })).toEqual([expect.stringContaining('G6')])
    expect(timingProblems({ ...T, pingMs: 2_000 })).toEqual([
      expect.stringContaining('L4'),
      expect.stringContaining('S-17'),
    ])
    expect(timingProblems({ ...T, ttlAuthorityMs: 5_000 })).toEqual([expect.stringContaining('L3')])
  })

  test('W(T) is never below the table of docs/rules.md by more than its rounding', () => {
    const table = {
      standard: [6_630, 61_800],
      fast: [1_640, 61_400],
      wan: [21_500, 92_900],
    } as const
    for (const [name, [pong, authority]] of Object.entries(table)) {
      const t = PROFILES[name as keyof typeof table]
      expect(pong - waitMs(t.ttlMs, t.marginMs)).toBeGreaterThanOrEqual(0)
      expect(pong - waitMs(t.ttlMs, t.marginMs)).toBeLessThan(100)
      expect(authority - waitMs(t.ttlAuthorityMs, t.marginMs)).toBeGreaterThanOrEqual(0)
      expect(authority - waitMs(t.ttlAuthorityMs, t.marginMs)).toBeLessThan(100)
    }
  })

  test('W(T) covers the slowest clock of the node and the fastest of ours', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), (leaseMs) => {
        const realMs = leaseMs / 0.99
        expect(waitMs(leaseMs, 0)).toBeGreaterThanOrEqual(realMs * 1.01 - 1e-6)
      }),
    )
  })
})

describe('leases', () => {
  test('L1: measured from the send; no answer ever shortens one', () => {
    fc.assert(
      fc.property(fc.array(instant, { minLength: 1 }), (sent) => {
        let leases = NO_LEASES
        for (const at of sent) leases = renewed(leases, 'pong', at, T)
        expect(leases).toEqual({ pongEndMs: Math.max(...sent) + T.ttlMs, authorityEndMs: null })
      }),
    )
  })

  test('L3, L4: a start is allowed exactly while both are before their stop time', () => {
    fc.assert(
      fc.property(instant, instant, instant, (pong, authority, nowMs) => {
        let leases = renewed(NO_LEASES, 'pong', pong, T)
        expect(mayStart(leases, T, nowMs)).toBe(false)
        leases = renewed(leases, 'authority', authority, T)
        const stop = stopTime(leases, T)
        expect(stop?.atMs).toBe(Math.min(pong + T.ttlMs, authority + T.ttlAuthorityMs) - T.stopMs)
        expect(mayStart(leases, T, nowMs)).toBe(nowMs < (stop?.atMs ?? 0))
      }),
    )
    expect(stopTime(NO_LEASES, T)).toBeNull()
  })
})

describe('reconnecting', () => {
  test('at once the first time, then never more than a third of the lease that is left', () => {
    expect(reconnectDelayMs(0, 4_000, 0.5)).toBe(0)
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: -10_000, max: 90_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (failures, leftMs, random) => {
          const delay = reconnectDelayMs(failures, leftMs, random)
          expect(delay).toBeGreaterThan(0)
          expect(delay).toBeLessThanOrEqual(7_500)
          if (leftMs > 0) expect(delay).toBeLessThanOrEqual(Math.max(leftMs / 3, 10))
        },
      ),
    )
  })
})

describe('restart policy', () => {
  test('S-75, S-76: as many restarts as the policy has attempts, within its period', () => {
    let restarts: readonly number[] = []
    for (const nowMs of [0, 1_000, 2_000]) {
      const decision = afterFailure(DEFAULT_RESTART, restarts, nowMs)
      if (decision.action !== 'restart') throw new Error('given up too early')
      expect(decision.atMs).toBe(nowMs + DEFAULT_RESTART.delayMs)
      restarts = decision.restarts
    }
    expect(afterFailure(DEFAULT_RESTART, restarts, 3_000)).toEqual({
      action: 'giveUp',
      retryAtMs: 3_000 + DEFAULT_RESTART.retryAfterMs,
    })
    // The first one is too long ago to count.
    expect(afterFailure(DEFAULT_RESTART, restarts, DEFAULT_RESTART.periodMs)).toMatchObject({
      action: 'restart',
    })
    expect(afterFailure({ ...DEFAULT_RESTART, attempts: 0 }, [], 0).action).toBe('giveUp')
  })
})

describe('once only and order', () => {
  test('S-16: repeated within a run, new in another', () => {
    expect(isRepeated(undefined, 'a', 1)).toBe(false)
    expect([1, 2, 3].map((n) => isRepeated({ run: 'a', n: 2 }, 'a', n))).toEqual([
      true,
      true,
      false,
    ])
    expect(isRepeated({ run: 'a', n: 2 }, 'b', 1)).toBe(false)
  })

  test('an update of the cluster alone is in nobody’s hurry', () => {
    const cluster = {
      id: '00000000-0000-4000-8000-000000000001',
      name: 'c',
      profile: 'fast' as const,
      takeover: 'lease' as const,
      view: 1,
      formedAtMs: 0,
    }
    const change = { table: 'cluster' as const, id: cluster.id, value: cluster }
    const because = { manager: 'MM' as const, code: 'nodeJoined' }
    expect(concernedNodes({ seq: 1, atMs: 0, change, because, correlationId: 'u1' })).toEqual([])
  })

  test('S-08: phases in their order; one that is left out is our bug', () => {
    for (const [i, phase] of START_PHASES.entries())
      expect(nextPhase(START_PHASES.slice(0, i))).toBe(phase)
    expect(nextPhase(START_PHASES)).toBeNull()
    expect(() => nextPhase(['openStore', 'settleGroups'])).toThrow('out of order')
  })
})

describe('silence as one instance knows it (D)', () => {
  const node = (lastAnswerMs: number | null, welcomedMs = 0) => ({
    nodeId: 'n1',
    welcomedMs,
    lastAnswerMs,
  })

  test('D2, D3: from the last answer or, if later, the welcome', () => {
    const live = new Liveness()
    live.closed(node(1_000, 3_000), 5_000, 'socketClosed', T, 5_000)
    expect(live.evidence('n1', 6_000)).toMatchObject({ path: 'pong', lastAnswerMs: 3_000 })
    expect(live.remainingMs('n1', 5_000, T)).toBe(waitMs(T.ttlMs, T.marginMs) - 2_000 + 1)
    expect(suspicionMs(node(1_000, 3_000), T)).toBe(9_000)
    live.welcomed('n1')
    expect(live.evidence('n1', 6_000)).toBeNull()
  })

  test('D2: no answer at all: the time of the close', () => {
    const live = new Liveness()
    live.closed(node(null), 5_000, 'socketClosed', T, 5_000)
    expect(live.evidence('n1', 5_000)).toMatchObject({ waitedMs: 0, lastAnswerMs: 5_000 })
  })

  test('D6: a clock that steps forward shortens no wait, before the close or after it', () => {
    const live = new Liveness()
    live.closed(node(0), 3_600_000, 'socketClosed', T, 3_600_000)
    expect(live.evidence('n1', 3_600_000)).toMatchObject({ waitedMs: 0 })
    expect(live.evidence('n1', 7_200_000)).toMatchObject({ waitedMs: 0 })
    live.timerFired('n1', 4_000)
    expect(live.evidence('n1', 7_200_000)).toMatchObject({ waitedMs: 4_000 })
    // One that steps back only lengthens it.
    expect(live.evidence('n1', 3_601_000)).toMatchObject({ waitedMs: 1_000 })
  })

  test('D6: a step that makes every session look silent earns nobody a shorter wait', () => {
    const live = new Liveness()
    // All were answered at 1,000; the clock jumps by 5 s: nothing is younger than that.
    live.closed(node(1_000), 6_100, 'silent', T, 1_100)
    expect(live.evidence('n1', 6_100)).toMatchObject({ waitedMs: 0 })
    expect(live.remainingMs('n1', 6_100, T)).toBe(waitMs(T.ttlMs, T.marginMs) + 1)
    // Alone, nobody vouches for the clock.
    live.closed(node(1_000), 6_100, 'silent', T, null)
    expect(live.evidence('n1', 6_100)).toMatchObject({ waitedMs: 0 })
    // Another session was answered a moment ago: the silence is real.
    live.closed(node(1_000), 6_100, 'silent', T, 5_900)
    expect(live.evidence('n1', 6_100)).toMatchObject({ waitedMs: 5_100 })
  })

  test('D5: without the session only the authority lease, from the later of start and confirm', () => {
    const live = new Liveness()
    expect(live.evidence('n1', 1_000)).toBeNull()
    live.beginGrace(1_000)
    expect(live.evidence('n1', 4_000)).toMatchObject({ path: 'authority', waitedMs: 3_000 })
    live.confirmed('n1', 3_500)
    expect(live.evidence('n1', 4_000)).toMatchObject({ waitedMs: 500, confirmedMs: 3_500 })
    expect(live.remainingMs('n1', 3_500, T)).toBe(waitMs(T.ttlAuthorityMs, T.marginMs) + 1)
  })

  test('D3: what is waited for is always strictly more than W', () => {
    fc.assert(
      fc.property(instant, instant, instant, (lastMs, welcomedMs, more) => {
        const closedMs = Math.max(lastMs, welcomedMs) + more
        const live = new Liveness()
        live.closed(node(lastMs, welcomedMs), closedMs, 'silent', T, closedMs)
        const ms = live.remainingMs('n1', closedMs, T) ?? 0
        live.timerFired('n1', ms)
        const evidence = live.evidence('n1', closedMs + ms)
        expect(evidence?.waitedMs).toBeGreaterThan(waitMs(T.ttlMs, T.marginMs))
        const realMs = closedMs + ms - Math.max(lastMs, welcomedMs)
        expect(realMs).toBeGreaterThan(waitMs(T.ttlMs, T.marginMs))
      }),
    )
  })
})

describe('what is asked for often', () => {
  test('is done at once, then seldom, and once more for what came in between', () => {
    vi.useFakeTimers()
    let done = 0
    const seldom = new Seldom(100, () => {
      done += 1
    })
    seldom.soon()
    expect(done).toBe(1)
    // As a thousand resources do that are adopted at once.
    for (let n = 0; n < 1_000; n += 1) seldom.soon()
    expect(done).toBe(1)
    vi.advanceTimersByTime(100)
    expect(done).toBe(2)
    vi.advanceTimersByTime(1_000)
    expect(done).toBe(2)
    seldom.soon()
    expect(done).toBe(3)
    vi.useRealTimers()
  })
})
