import { beforeEach, describe, expect, test } from 'vitest'
import { type GuardEvent, guardDeadline, heldGroups } from '../../probe/core/guard.ts'
import { DB, GuardBench, LEASE, NGINX, PROCESS, SPEC, T, WEB } from './guard-bench.ts'

let guard: GuardBench
beforeEach(() => {
  guard = new GuardBench()
})

describe('leases (L)', () => {
  test('L2: only answers on the current, welcomed session renew', () => {
    guard.step({ type: 'challenged', session: 1 })
    guard.renew(1)
    expect(guard.state.leases).toEqual({ pongEndMs: null, authorityEndMs: null })
    guard.step({ type: 'welcomed', session: 1, timing: T, policy: LEASE })
    expect(guard.state.leases.pongEndMs).toBeNull()
    guard.renew(2)
    expect(guard.state.leases.pongEndMs).toBeNull()
    guard.renew(1)
    expect(guard.state.leases).toEqual({ pongEndMs: 6_000, authorityEndMs: 60_000 })
    guard.step({ type: 'sessionClosed', session: 1 })
    guard.nowMs = 1_000
    guard.renew(1)
    expect(guard.state.leases.pongEndMs).toBe(6_000)
  })

  test('L1: from the send, never from the answer; an older answer shortens nothing', () => {
    guard.session(1)
    guard.nowMs = 3_000
    guard.renew(1, 2_500)
    guard.renew(1, 500)
    expect(guard.state.leases).toEqual({ pongEndMs: 8_500, authorityEndMs: 62_500 })
  })

  test('L2: an empty report resets the leases to none, one that lists something does not', () => {
    guard.ready()
    guard.step({ type: 'challenged', session: 2 })
    expect(guard.toAgent).toEqual([{ t: 'held', session: 2, held: [{ groupId: WEB, epoch: 1 }] }])
    expect(guard.state.leases.pongEndMs).toBe(6_000)
    guard.step({ type: 'groupStopAsked', groupId: WEB, epoch: 1 })
    guard.step({ type: 'challenged', session: 3 })
    expect(guard.toAgent).toEqual([{ t: 'held', session: 3, held: [] }])
    expect(guard.state.leases.pongEndMs).toBeNull()
  })

  test('L3: both leases are needed, and each of them ends it', () => {
    guard.session(1)
    guard.step({ type: 'granted', session: 1, groupId: WEB, epoch: 1 })
    guard.child()
    expect(guard.refusal).toBe('noLease')
    guard.step({ type: 'renewed', session: 1, lease: 'pong', sentAtMs: 0 })
    guard.child()
    expect(guard.refusal).toBe('noLease')
    guard.step({ type: 'renewed', session: 1, lease: 'authority', sentAtMs: 0 })
    guard.child()
    expect(guard.types).toEqual(['persist', 'spawn'])
    for (let ms = 1_000; ms < 57_000; ms += 1_000) {
      guard.nowMs = ms
      guard.step({ type: 'renewed', session: 1, lease: 'pong', sentAtMs: ms })
    }
    // Pings are answered for ever; confirms are not any more (a superseded instance).
    guard.nowMs = 57_999
    guard.step({ type: 'renewed', session: 1, lease: 'pong', sentAtMs: 57_999 })
    expect(guard.state.grants).toHaveLength(1)
    guard.nowMs = 58_000
    guard.step({ type: 'tick' })
    expect(guard.toAgent).toEqual([{ t: 'lapsed', lease: 'authority' }])
  })

  test('L4, L5: at the end minus T_stop everything is void; RHS first, then what is on record', () => {
    guard.ready().child()
    guard.started()
    expect(guardDeadline(guard.state)).toBe(4_000)
    guard.nowMs = 3_999
    guard.step({ type: 'tick' })
    expect(guard.effects).toEqual([])
    guard.nowMs = 4_000
    guard.step({ type: 'tick' })
    expect(guard.types).toEqual(['persist', 'killRhs', 'terminate', 'toAgent'])
    expect(guard.state).toMatchObject({ grants: [], session: null })
    expect(heldGroups(guard.state)).toEqual([{ groupId: WEB, epoch: 1 }])
    // S3: the report waits until nothing runs.
    guard.step({ type: 'challenged', session: 2 })
    expect(guard.toAgent).toEqual([])
    guard.gone(NGINX)
    expect(guard.toAgent).toEqual([{ t: 'held', session: 2, held: [] }])
  })

  test('L5: whatever arrives after the stop time, the lapse comes first: nothing is revived', () => {
    const late: GuardEvent[] = [
      { type: 'renewed', session: 1, lease: 'pong', sentAtMs: 3_999 },
      { type: 'childAsked', ask: guard.ask(), spec: SPEC },
      { type: 'granted', session: 1, groupId: DB, epoch: 5 },
      { type: 'gatePermitAsked', ask: guard.ask(), gateName: 'g' },
    ]
    for (const event of late) {
      const one = new GuardBench().ready()
      one.nowMs = 4_000
      one.step(event)
      expect(one.state.grants).toEqual([])
      expect(one.toAgent[0]).toEqual({ t: 'lapsed', lease: 'pong' })
      // A later session and renewal bring no grant back.
      one.session(2).renew(2)
      one.child()
      expect(one.refusal).toBe('noGrant')
    }
  })

  test('G5: a child that was forked just before the lapse is known when it is ended', () => {
    guard.ready().child()
    guard.nowMs = 4_000
    guard.started()
    const terminate = guard.effects.find((e) => e.type === 'terminate')
    expect(terminate).toMatchObject({ record: { resourceId: NGINX, process: PROCESS } })
    expect(guard.state.records).toMatchObject([{ process: PROCESS }])
  })

  test('nothing held, nothing to watch', () => {
    guard.session(1).renew(1)
    expect(guardDeadline(guard.state)).toBeNull()
    guard.nowMs = 10_000
    expect(guard.step({ type: 'tick' })).toEqual([])
  })
})

describe('grants (C)', () => {
  test('C1: only on the welcomed session, by its number', () => {
    guard.step({ type: 'granted', session: 1, groupId: WEB, epoch: 1 })
    guard.step({ type: 'challenged', session: 1 })
    guard.step({ type: 'granted', session: 1, groupId: WEB, epoch: 1 })
    expect(guard.toAgent).toMatchObject([{ t: 'denied', reason: 'C1: other session' }])
    guard.step({ type: 'welcomed', session: 1, timing: T, policy: LEASE })
    guard.step({ type: 'granted', session: 2, groupId: WEB, epoch: 1 })
    expect(guard.state.grants).toEqual([])
  })

  test('C2, U4: an epoch that was seen never comes again: granted, stopped, or told to stop', () => {
    guard.ready()
    guard.step({ type: 'granted', session: 1, groupId: WEB, epoch: 1 })
    expect(guard.toAgent).toMatchObject([{ t: 'denied' }])
    guard.step({ type: 'groupStopAsked', groupId: WEB, epoch: 1 })
    guard.step({ type: 'granted', session: 1, groupId: WEB, epoch: 1 })
    expect(guard.toAgent).toMatchObject([{ t: 'denied' }])
    guard.step({ type: 'groupStopAsked', groupId: WEB, epoch: 7 })
    guard.step({ type: 'granted', session: 1, groupId: WEB, epoch: 7 })
    expect(guard.toAgent).toMatchObject([{ t: 'denied' }])
    guard.step({ type: 'granted', session: 1, groupId: WEB, epoch: 8 })
    expect(guard.toAgent).toEqual([{ t: 'granted', groupId: WEB, epoch: 8 }])
  })

  test('C5: a newer epoch is no grant while the older one is not stopped', () => {
    guard.ready()
    guard.step({ type: 'granted', session: 1, groupId: WEB, epoch: 3 })
    expect(guard.toAgent).toMatchObject([{ t: 'denied' }])
    expect(guard.state.grants).toEqual([{ groupId: WEB, epoch: 1 }])
  })
})

describe('starts (G2 to G4)', () => {
  test('G3: every request carries the epoch, and only that of the grant is good', () => {
    guard.ready()
    for (const epoch of [0, 2]) {
      guard.child({ epoch })
      expect(guard.refusal).toBe('noGrant')
    }
    guard.child({ groupId: DB })
    expect(guard.refusal).toBe('noGrant')
  })

  test('G9: recorded and written before the child is forked; asked twice, started once', () => {
    guard.ready().child()
    expect(guard.types).toEqual(['persist', 'spawn'])
    expect(guard.file?.records).toMatchObject([{ phase: 'starting', way: 'child', process: null }])
    guard.started()
    expect(guard.file?.records).toMatchObject([{ phase: 'running', process: PROCESS }])
    guard.child()
    expect(guard.effects).toMatchObject([{ type: 'answerRhs', ok: true, process: PROCESS }])
  })

  test('G4 (b): a permit is no start: the gate asks for itself, and is asked again what holds then', () => {
    const gate = (gateName = 'vm-1') =>
      guard.step({ type: 'gateAsked', gateName, process: PROCESS, incoming: false })
    guard.ready()
    gate()
    expect(guard.refusal).toBe('nothing of that name may start')
    guard.step({ type: 'gatePermitAsked', ask: guard.ask(), gateName: 'vm-1' })
    expect(guard.effects).toMatchObject([{ type: 'persist' }, { type: 'answerRhs', ok: true }])
    gate('vm-2')
    expect(guard.refusal).toBe('nothing of that name may start')
    gate()
    expect(guard.effects).toMatchObject([{ type: 'persist' }, { type: 'answerGate', yes: true }])
    gate()
    expect(guard.refusal).toBe('it runs already')
  })

  test('G4, G7: a permit is worth nothing after a stop, a lapse, or near the end of a lease', () => {
    const permitted = () => {
      const one = new GuardBench().ready()
      one.step({ type: 'gatePermitAsked', ask: one.ask(), gateName: 'vm-1' })
      return one
    }
    const gate = (one: GuardBench) => {
      one.step({ type: 'gateAsked', gateName: 'vm-1', process: PROCESS, incoming: false })
      return one.refusal
    }
    const stopped = permitted()
    stopped.step({ type: 'groupStopAsked', groupId: WEB, epoch: 1 })
    expect(gate(stopped)).toBe('noGrant')
    stopped.gone(NGINX)
    expect(gate(stopped)).toBe('nothing of that name may start')
    const lapsed = permitted()
    lapsed.nowMs = 4_000
    expect(gate(lapsed)).toBe('noGrant')
    const one = permitted()
    one.step({ type: 'resourceStopAsked', resourceId: NGINX, requestId: 9 })
    expect(gate(one)).toBe('stopping')
  })
})

describe('stops (G5, G7, S3)', () => {
  test('a group: the grant goes first, in the file too; the ack comes when nothing runs', () => {
    guard.ready().child()
    guard.started()
    guard.step({ type: 'groupStopAsked', groupId: WEB, epoch: 1 })
    expect(guard.types).toEqual(['persist', 'terminate'])
    expect(guard.file?.grants).toEqual([])
    guard.child()
    expect(guard.refusal).toBe('noGrant')
    // S3: it counts as running until then.
    guard.step({ type: 'challenged', session: 2 })
    expect(guard.toAgent).toEqual([{ t: 'held', session: 2, held: [{ groupId: WEB, epoch: 1 }] }])
    guard.gone(NGINX)
    expect(guard.types).toEqual(['persist', 'toAgent'])
    expect(guard.toAgent).toEqual([{ t: 'stopped', groupId: WEB, epoch: 1 }])
  })

  test('of another epoch: nothing; a group that is not here: acked at once', () => {
    guard.ready()
    expect(guard.step({ type: 'groupStopAsked', groupId: WEB, epoch: 2 })).toEqual([])
    guard.step({ type: 'groupStopAsked', groupId: DB, epoch: 3 })
    expect(guard.toAgent).toEqual([{ t: 'stopped', groupId: DB, epoch: 3 }])
  })

  test('one resource: its grant stays, and it may be started again (C6)', () => {
    guard.ready().child()
    guard.started()
    guard.step({ type: 'resourceStopAsked', resourceId: NGINX, requestId: 5 })
    expect(guard.types).toEqual(['terminate'])
    guard.child()
    expect(guard.refusal).toBe('stopping')
    guard.gone(NGINX)
    expect(guard.effects).toMatchObject([{ type: 'persist' }, { requestId: 5, ok: true }])
    guard.child()
    expect(guard.types).toEqual(['persist', 'spawn'])
  })

  test('S4: everything must stop', () => {
    guard.ready().child()
    guard.step({ type: 'everythingMustStop' })
    expect(guard.types).toEqual(['persist', 'killRhs', 'terminate', 'toAgent'])
  })
})

describe('a new guard (G9, G10)', () => {
  const running = () => {
    guard.ready().child()
    guard.started()
    return guard
  }

  test('same boot, before the stop time: grant and record are adopted, the session is not', () => {
    running().nowMs = 3_999
    guard.restart()
    expect(guard.effects).toEqual([])
    expect(guard.state).toMatchObject({ session: null, grants: [{ epoch: 1 }] })
    expect(guard.state.records).toHaveLength(1)
    // C2: the memory of epochs as well.
    guard.session(2).renew(2)
    guard.step({ type: 'granted', session: 2, groupId: WEB, epoch: 1 })
    expect(guard.toAgent).toMatchObject([{ t: 'denied' }])
  })

  test('past the stop time, or without a lease on file: stopped as in a lapse', () => {
    running().nowMs = 4_000
    guard.restart()
    expect(guard.types).toEqual(['persist', 'killRhs', 'terminate', 'toAgent'])
    expect(guard.state.grants).toEqual([])
  })

  test('another boot: nothing of it is left', () => {
    running().restart('boot-2')
    expect(guard.state).toMatchObject({ boot: 'boot-2', grants: [], records: [] })
  })

  test('a record without a grant: a stop was under way, and goes on', () => {
    running().step({ type: 'groupStopAsked', groupId: WEB, epoch: 1 })
    guard.restart()
    expect(guard.types).toEqual(['terminate'])
    guard.gone(NGINX)
    expect(guard.toAgent).toEqual([{ t: 'stopped', groupId: WEB, epoch: 1 }])
  })
})

test('G7: the end of an earlier start, told late, ends nothing of the one that runs now', () => {
  const later = { pid: 4_711, startTicks: 9 }
  guard.ready()
  guard.step({
    type: 'childAsked',
    ask: { requestId: 1, resourceId: NGINX, groupId: WEB, epoch: 1 },
    spec: SPEC,
  })
  guard.step({ type: 'childStarted', resourceId: NGINX, process: PROCESS, group: 'w-1' })
  guard.gone(NGINX)
  guard.step({
    type: 'childAsked',
    ask: { requestId: 2, resourceId: NGINX, groupId: WEB, epoch: 1 },
    spec: SPEC,
  })
  guard.step({ type: 'childStarted', resourceId: NGINX, process: later, group: 'w-2' })
  guard.step({ type: 'nothingRuns', resourceId: NGINX, process: PROCESS })
  guard.step({ type: 'nothingRuns', resourceId: NGINX, process: null })
  expect(guard.state.records).toMatchObject([{ resourceId: NGINX, process: later }])
  expect(guard.step({ type: 'groupStopAsked', groupId: WEB, epoch: 1 })).toContainEqual(
    expect.objectContaining({ type: 'terminate' }),
  )
})
