import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { type CallOutcome, rhsDeadline } from '../../probe/core/rhs.ts'
import type { ReportedStatus } from '../../schema/status.ts'
import { A, B, Bench, GROUP } from './rhs-bench.ts'

let rhs: Bench
beforeEach(() => {
  rhs = new Bench()
})

describe('the table of what is wanted and what is reported', () => {
  test('S-37, S-39: open first, then online; pending is reported, then online', () => {
    rhs.hold()
    expect(rhs.calls).toEqual(['open'])
    rhs.end()
    expect(rhs.calls).toEqual(['online'])
    expect(rhs.reports).toMatchObject([{ status: 'onlinePending', epoch: 1 }])
    rhs.end()
    expect(rhs.reports).toMatchObject([{ status: 'online', restarts: 0, gaveUp: false }])
  })

  test('S-70, S-72: equal is nothing, online as well as offline', () => {
    rhs.online()
    expect(rhs.push('online')).toEqual([])
    rhs.hold({ persistentState: 0, target: 0 })
    rhs.end()
    expect(rhs.push('offline')).toEqual([])
    for (let i = 0; i < 120; i += 1) {
      rhs.wait(5_000)
      expect(rhs.calls).toEqual([])
      expect(rhs.reports).toEqual([])
      expect(rhs.answer('offline')).toEqual([])
    }
  })

  test.each(['offline', 'failed'] as const)(
    'S-71, S-74, S-47: wanted, and %s: Online',
    (status) => {
      rhs.online().push(status, 'exit 1')
      expect(rhs.reports).toMatchObject([{ status: 'failed', restarts: 1, detail: 'exit 1' }])
      expect(rhs.calls).toEqual([])
      rhs.wait(500)
      expect(rhs.calls).toEqual(['online'])
      expect(rhs.log).toContain('restart 1 → online')
    },
  )

  test('S-73: not wanted, and online: reported, not stopped', () => {
    rhs.hold({ persistentState: 0, target: 0 })
    rhs.end()
    rhs.push('online')
    expect(rhs.reports).toMatchObject([{ status: 'online' }])
    expect(rhs.calls).toEqual([])
    rhs.wait(60_000)
    expect(rhs.calls).toEqual([])
    expect(rhs.hold({ persistentState: 0, target: 0, stopHere: 'stop' })).toContainEqual(
      expect.objectContaining({ type: 'call', fn: 'offline' }),
    )
  })

  test('S-80: pending is waited for; the timeout counts from the last progress', () => {
    rhs.hold()
    rhs.end()
    expect(rhs.push('offline')).toEqual([])
    expect(rhs.push('onlinePending')).toEqual([])
    for (let i = 0; i < 10; i += 1) {
      rhs.wait(9_000)
      expect(rhs.calls).toEqual([])
      rhs.answer('offline')
      expect(rhs.calls).toEqual([])
      const id = rhs.run()?.call?.id as number
      rhs.step({ type: 'progressed', guid: A, id, note: `step ${i}` })
    }
    rhs.wait(10_000)
    expect(rhs.effects).toContainEqual(expect.objectContaining({ type: 'abort' }))
    expect(rhs.reports).toMatchObject([{ status: 'failed', detail: 'not online within 10000 ms' }])
  })

  test('S-32: no answer within the deadlock timeout is an outcome of its own', () => {
    rhs.online().wait(5_000)
    expect(rhs.polls()).toHaveLength(1)
    rhs.wait(29_999)
    expect(rhs.reports).toEqual([])
    rhs.wait(1)
    expect(rhs.reports).toMatchObject([
      { status: 'unknown', detail: 'NoResponse: the module did not answer' },
    ])
    expect(rhs.calls).toEqual([])
  })

  test('the manager itself is gone: unknown, no restart, and online again when it is back', () => {
    rhs.online().push('unknown', 'libvirtd does not answer')
    expect(rhs.reports).toMatchObject([{ status: 'unknown' }])
    rhs.wait(600_000)
    expect(rhs.calls).toEqual([])
    rhs.push('online')
    expect(rhs.reports).toMatchObject([{ status: 'online', restarts: 0 }])
  })
})

describe('restart policy', () => {
  const crash = () => {
    rhs.push('failed', 'exit 1')
    rhs.wait(500)
    rhs.end()
  }

  test('S-76: online within the attempts: no failover, restarts are counted', () => {
    rhs.online()
    crash()
    crash()
    expect(rhs.run()).toMatchObject({ status: 'online', gaveUp: false })
    expect(rhs.reports).toMatchObject([{ status: 'online', restarts: 2 }])
  })

  test('S-75, S-81: attempts used up: Failed, and the Cluster Service is told, once', () => {
    rhs.online()
    crash()
    crash()
    rhs.push('failed', 'exit 1')
    expect(rhs.reports).toMatchObject([{ status: 'failed', gaveUp: true, detail: 'exit 1' }])
    for (let i = 0; i < 100; i += 1) {
      rhs.wait(5_000)
      expect(rhs.calls).toEqual([])
      expect(rhs.reports).toEqual([])
      expect(rhs.answer('offline')).toEqual([])
    }
    // After a long while it is tried again.
    rhs.wait(3_600_000)
    expect(rhs.calls).toEqual(['online'])
    rhs.end()
    expect(rhs.reports).toMatchObject([{ status: 'online', gaveUp: false }])
  })

  test('S-82: one correlation id from the first failure to the give-up', () => {
    rhs.online({ correlationId: 'u7' })
    const ids = new Set<string | undefined>()
    for (let i = 0; i < 3; i += 1) {
      rhs.push('failed', 'exit 1')
      ids.add(rhs.reports[0]?.correlationId)
      rhs.wait(500)
      if (rhs.run()?.call) rhs.end()
    }
    expect([...ids]).toEqual(['00000000@0'])
  })

  test('Online that fails counts as well; an operator who asks again begins anew', () => {
    rhs.hold()
    rhs.end()
    for (let i = 0; i < 3; i += 1) {
      rhs.end({ ok: false, error: 'exit 1' })
      rhs.wait(500)
    }
    expect(rhs.run()).toMatchObject({ gaveUp: true, status: 'failed' })
    rhs.hold({ persistentState: 0, target: 0 })
    rhs.hold({ persistentState: 1, target: 1 })
    expect(rhs.run()).toMatchObject({ gaveUp: false, restarts: [] })
  })

  test('an open that fails is tried again by the policy, not in a circle', () => {
    rhs.hold()
    for (let i = 0; i < 2; i += 1) {
      rhs.end({ ok: false, error: 'no socket' })
      expect(rhs.calls).toEqual([])
      rhs.wait(500)
      expect(rhs.calls).toEqual(['open'])
    }
    rhs.end({ ok: false, error: 'no socket' })
    expect(rhs.reports).toMatchObject([{ status: 'failed', gaveUp: true }])
    rhs.wait(60_000)
    expect(rhs.calls).toEqual([])
    rhs.wait(3_600_000)
    expect(rhs.calls).toEqual(['open'])
    rhs.end()
    expect(rhs.calls).toEqual(['online'])
  })
})

describe('what a module does not have (S-33)', () => {
  test('Online: discarded, said so, nothing changes, not asked for in a circle', () => {
    rhs.hold()
    rhs.end()
    rhs.end({ ok: 'notImplemented' })
    expect(rhs.log).toEqual(['discarded: the module has no function online (S-33)'])
    expect(rhs.reports).toMatchObject([{ status: 'offline', restarts: 0 }])
    rhs.wait(60_000)
    expect(rhs.calls).toEqual([])
  })

  test('Offline: Terminate is the other way; without it the resource stays online', () => {
    rhs.online()
    rhs.hold({ persistentState: 0, target: 0 })
    rhs.end({ ok: 'notImplemented' })
    expect(rhs.calls).toEqual(['terminate'])
    rhs.end({ ok: 'notImplemented' })
    expect(rhs.run()?.status).toBe('online')
    rhs.wait(60_000)
    expect(rhs.calls).toEqual([])
  })
})

describe('stopping', () => {
  test('S-40, S-41: Offline; when it takes too long or fails, Terminate, until it is done', () => {
    for (const end of [() => rhs.wait(10_000), () => rhs.end({ ok: false, error: 'busy' })]) {
      rhs = new Bench().online()
      rhs.hold({ target: 0 })
      expect(rhs.calls).toEqual(['offline'])
      end()
      expect(rhs.calls).toEqual(['terminate'])
      rhs.end({ ok: false, error: 'cannot' })
      expect(rhs.reports).toMatchObject([{ status: 'failed' }])
      rhs.wait(1_000)
      expect(rhs.calls).toEqual(['terminate'])
      rhs.end()
      expect(rhs.reports).toMatchObject([{ status: 'offline' }])
    }
  })

  test('a start that is no longer wanted is not waited for', () => {
    rhs.hold()
    rhs.end()
    rhs.hold({ target: 0 })
    expect(rhs.effects.map((e) => e.type)).toContain('abort')
    expect(rhs.calls).toEqual(['terminate'])
  })

  test('S-38: dropped: closed and never stopped; the timer rests while a call ends', () => {
    rhs.online()
    rhs.step({ type: 'dropped', guids: [A] })
    expect(rhs.calls).toEqual(['close'])
    rhs.end()
    expect(rhs.effects).toEqual([{ type: 'closed', guid: A }])
    expect(rhsDeadline(rhs.state)).toBeNull()

    rhs = new Bench().online()
    rhs.hold({ target: 0 })
    rhs.step({ type: 'dropped', guids: [A] })
    rhs.wait(6_000)
    expect(rhs.polls()).toEqual([])
  })
})

describe('checks (S-26, S-27)', () => {
  test('one call for all members of a group and type, at their intervals', () => {
    rhs.online()
    rhs.hold({ guid: B, name: 'db' })
    rhs.end({ ok: true }, B)
    rhs.end({ ok: true }, B)
    rhs.wait(5_000)
    expect(rhs.polls()).toMatchObject([{ guids: [A, B], key: `${GROUP} process isAlive` }])
    expect(rhs.polls('looksAlive')).toEqual([])
    // The next one waits until this one is answered.
    rhs.wait(5_000)
    expect(rhs.polls()).toEqual([])
    rhs.wait(10_000)
    const { id } = rhs.state.polls.get(`${GROUP} process isAlive`) as { id: number }
    const answers = [
      { guid: A, status: 'online' as const },
      { guid: B, status: 'failed' as const, detail: 'exit 3' },
    ]
    rhs.step({ type: 'pollEnded', key: `${GROUP} process isAlive`, id, answers })
    expect(rhs.reports).toMatchObject([{ resourceId: B, status: 'failed' }])
    rhs.wait(40_000)
    expect(rhs.polls('looksAlive')).toMatchObject([{ guids: [A, B] }])
  })

  test('a check that was begun before a restart says nothing about what runs now', () => {
    rhs.online().wait(5_000)
    const [poll] = rhs.polls()
    rhs.push('failed', 'exit 1')
    rhs.wait(500)
    rhs.end()
    const { key, id } = poll as { key: string; id: number }
    rhs.step({ type: 'pollEnded', key, id, answers: [{ guid: A, status: 'failed' }] })
    expect(rhs.run()).toMatchObject({ status: 'online' })
    expect(rhs.run()?.restarts).toHaveLength(1)
  })

  test('online by itself while a restart is due: no restart, and no timer that spins', () => {
    rhs.online().push('failed', 'exit 1')
    rhs.push('online')
    expect(rhs.run()).toMatchObject({ status: 'online', restartAtMs: null })
    rhs.wait(500)
    expect(rhs.calls).toEqual([])
    rhs.hold({ target: 0 })
    expect(rhs.calls).toEqual(['offline'])
  })
})

describe('adoption (G8)', () => {
  const adopt = (status: ReportedStatus) => {
    rhs.hold({}, true)
    rhs.end()
    expect(rhs.calls).toEqual([])
    const [poll] = rhs.polls()
    const { key, id } = poll as { key: string; id: number }
    return rhs.step({ type: 'pollEnded', key, id, answers: [{ guid: A, status }] })
  }

  test('what is on record is looked at before anything is started', () => {
    adopt('online')
    expect(rhs.calls).toEqual([])
    expect(rhs.reports).toMatchObject([{ status: 'online', restarts: 0 }])
  })

  test('not there any more: started', () => {
    adopt('offline')
    expect(rhs.calls).toEqual(['online'])
  })

  test('S-62: stopped by its manager while nobody looked: told, and not started', () => {
    adopt('stopped')
    expect(rhs.reports).toMatchObject([{ status: 'stopped' }])
    expect(rhs.calls).toEqual([])
    rhs.wait(4_000)
    expect(rhs.calls).toEqual([])
  })
})

test('whatever happens: one call at a time, no spinning, and nothing started that is not wanted', () => {
  const statuses = ['online', 'offline', 'failed', 'stopped', 'unknown', 'onlinePending'] as const
  const action = fc.oneof(
    fc.record({ do: fc.constant('push' as const), status: fc.constantFrom(...statuses) }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 25, 500, 5_000, 30_000) }),
    fc.record({
      do: fc.constant('end' as const),
      outcome: fc.constantFrom<CallOutcome>(
        { ok: true },
        { ok: false, error: 'x' },
        { ok: false, refused: 'noLease' },
        { ok: 'notImplemented' },
      ),
    }),
    fc.record({
      do: fc.constant('hold' as const),
      want: fc.constantFrom<0 | 1>(0, 1),
      target: fc.boolean(),
      epoch: fc.constantFrom(1, 2),
      onRecord: fc.boolean(),
    }),
    fc.record({ do: fc.constant('drop' as const) }),
    fc.record({ do: fc.constant('answer' as const), status: fc.constantFrom(...statuses) }),
  )
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const bench = new Bench()
      for (const a of actions) {
        const before = bench.run()
        if (a.do === 'push') bench.push(a.status)
        else if (a.do === 'wait') bench.wait(a.ms)
        else if (a.do === 'drop') bench.step({ type: 'dropped', guids: [A] })
        else if (a.do === 'end') {
          if (before?.call) bench.end(a.outcome)
        } else if (a.do === 'answer') bench.answer(a.status)
        else {
          const target = a.want === 1 && a.target ? 1 : 0
          bench.hold({ persistentState: a.want, target, epoch: a.epoch }, a.onRecord)
        }
        expect(bench.calls.length).toBeLessThanOrEqual(1)
        if (bench.calls[0] === 'online')
          expect(bench.run()?.held).toMatchObject({ target: 1, persistentState: 1 })
        const epoch = bench.run()?.held.epoch
        if (epoch !== undefined) for (const item of bench.reports) expect(item.epoch).toBe(epoch)
      }
    }),
    { numRuns: 500, ...(process.env['CI'] && { seed: 1 }) },
  )
})
