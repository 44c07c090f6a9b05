/** Copies of what another node runs (M1 to M7), as the guard keeps them. */
import { beforeEach, describe, expect, test } from 'vitest'
import { DB, GuardBench, NGINX, PG, PROCESS, WEB } from './guard-bench.ts'

const MID = '00000000-0000-4000-8000-0000000000c1'
const OTHER_MID = '00000000-0000-4000-8000-0000000000c2'
/** Of `db`, which another node runs at epoch 4. */
const SUBJECT = { resourceId: PG, groupId: DB, epoch: 4 }

let guard: GuardBench
beforeEach(() => {
  guard = new GuardBench()
  guard.session(1).renew(1)
})

const incoming = (mid = MID, over = {}) =>
  guard.step({ type: 'copyAsked', ask: guard.ask({ ...SUBJECT, ...over }), mid, gateName: 'pg' })
const comes = (isCopy = true, process = PROCESS) =>
  guard.step({ type: 'gateAsked', gateName: 'pg', process, incoming: isCopy })
const granted = (epoch = 5, resume: { mid: string } | null = { mid: MID }) =>
  guard.step({ type: 'granted', session: 1, groupId: DB, epoch, ...(resume && { resume }) })
const arrived = () => {
  incoming()
  comes()
}

describe('on the target', () => {
  test('M1: it is no grant, is not reported as held, and starts nothing', () => {
    arrived()
    expect(guard.refusal).toBeNull()
    expect(guard.state.grants).toEqual([])
    expect(guard.state.records).toEqual([])
    guard.child(SUBJECT)
    expect(guard.refusal).toBe('noGrant')
    guard.step({ type: 'challenged', session: 2 })
    expect(guard.toAgent).toMatchObject([{ t: 'held', held: [] }])
  })

  test('M1: only what waits for a state may come in, once, and only where it was asked for', () => {
    comes()
    expect(guard.refusal).toBe('nothing of that name may start')
    incoming()
    comes(false)
    expect(guard.refusal).toBe('only a copy of it may come in')
    comes()
    expect(guard.refusal).toBeNull()
    comes(true, { pid: 43, startTicks: 8 })
    expect(guard.refusal).toBe('a copy of it is here already')
  })

  test('what comes from elsewhere late does not pass for a start, nor a start for it', () => {
    guard.step({ type: 'granted', session: 1, groupId: DB, epoch: 5 })
    guard.step({
      type: 'gatePermitAsked',
      ask: guard.ask({ ...SUBJECT, epoch: 5 }),
      gateName: 'pg',
    })
    comes()
    expect(guard.refusal).toBe('it may not start in this way')
    comes(false)
    expect(guard.refusal).toBeNull()
  })

  test('M7: a node with a copy takes no other, nor one of what is still here', () => {
    arrived()
    incoming(OTHER_MID)
    expect(guard.refusal).toBe('there is a copy of another workload')
    guard.step({ type: 'granted', session: 1, groupId: WEB, epoch: 1 })
    guard.step({ type: 'copiesWanted', mids: [] })
    guard.gone(PG)
    guard.step({ type: 'nothingRuns', resourceId: PG, process: PROCESS })
    incoming(OTHER_MID, { resourceId: NGINX, groupId: WEB, epoch: 1 })
    expect(guard.refusal).toBe('it is still here')
  })

  test('M4, G3: with the update it becomes the workload, which asks for a yes like any other', () => {
    arrived()
    granted()
    expect(guard.types).toEqual(['persist', 'adopt', 'toAgent'])
    expect(guard.state.copies).toEqual([])
    expect(guard.state.records).toMatchObject([
      { resourceId: PG, groupId: DB, epoch: 5, process: PROCESS },
    ])
    const ask = guard.ask({ ...SUBJECT, epoch: 5 })
    guard.step({ type: 'gatePermitAsked', ask, gateName: 'pg' })
    expect(guard.effects).toEqual([
      { type: 'answerRhs', requestId: ask.requestId, ok: true, process: PROCESS },
    ])
    guard.nowMs += 10_000
    guard.step({ type: 'tick' })
    expect(guard.types).toContain('terminate')
  })

  test.each([
    ['no ack stands behind it (M5)', 5, null],
    ['the ack is of another migration (M6)', 5, { mid: OTHER_MID }],
    ['the epoch is not the one after it (M4)', 6, { mid: MID }],
  ])('the group is placed here, and %s: it is discarded', (_, epoch, resume) => {
    arrived()
    granted(epoch, resume)
    expect(guard.types).toContain('terminate')
    expect(guard.state.records).toEqual([])
    expect(guard.state.grants).toMatchObject([{ groupId: DB, epoch }])
    guard.step({ type: 'nothingRuns', resourceId: PG, process: PROCESS })
    expect(guard.state.copies).toEqual([])
  })

  test.each([
    ['a lapse', () => guard.step({ type: 'everythingMustStop' })],
    ['another session', () => guard.step({ type: 'challenged', session: 2 })],
    ['a hive that does not speak of it', () => guard.step({ type: 'copiesWanted', mids: [] })],
    ['a new guard', () => guard.restart()],
  ])('M7: %s discards it, and nothing goes on from it afterwards', (_, happens) => {
    arrived()
    happens()
    const killed = guard.effects.filter((e) => e.type === 'terminate')
    expect(killed).toMatchObject([{ record: { resourceId: PG, process: PROCESS } }])
    guard.session(3).renew(3)
    guard.step({ type: 'granted', session: 3, groupId: DB, epoch: 5, resume: { mid: MID } })
    expect(guard.state.records).toEqual([])
  })

  test('M7: a place that nobody has come to is closed', () => {
    incoming()
    guard.step({ type: 'copiesWanted', mids: [] })
    comes()
    expect(guard.refusal).toBe('nothing of that name may start')
  })

  test('a migration that fails leaves nothing behind', () => {
    arrived()
    guard.step({ type: 'nothingRuns', resourceId: PG, process: PROCESS })
    expect(guard.state.copies).toEqual([])
    incoming(OTHER_MID)
    expect(guard.refusal).toBeNull()
  })
})

describe('on the source', () => {
  const carried = (mid = MID) => guard.step({ type: 'carried', ask: guard.ask(), mid })
  const stopped = () => {
    guard.step({ type: 'groupStopAsked', groupId: WEB, epoch: 1 })
    return guard.toAgent.filter((frame) => frame.t === 'stopped')
  }
  beforeEach(() => {
    guard.step({ type: 'granted', session: 1, groupId: WEB, epoch: 1 })
    guard.child()
    guard.started()
  })

  test('M3: the manager is not believed while its process is on record', () => {
    carried()
    expect(guard.refusal).toBe('it still runs')
    guard.step({ type: 'groupStopAsked', groupId: WEB, epoch: 1 })
    guard.gone(NGINX)
    expect(guard.toAgent).toEqual([{ t: 'stopped', groupId: WEB, epoch: 1 }])
  })

  test('M3: the ack names the copy, once the grant is gone', () => {
    guard.gone(NGINX)
    carried()
    expect(guard.refusal).toBeNull()
    expect(stopped()).toEqual([{ t: 'stopped', groupId: WEB, epoch: 1, copy: MID }])
    expect(guard.state.grants).toEqual([])
    expect(guard.state.carried).toEqual([])
  })

  test('M3, C6: started here again, it has outrun its copy', () => {
    guard.gone(NGINX)
    carried()
    guard.child()
    guard.started()
    guard.gone(NGINX)
    expect(stopped()).toEqual([{ t: 'stopped', groupId: WEB, epoch: 1 }])
  })

  test('M3: without the grant nobody has anything to say about it', () => {
    guard.gone(NGINX)
    guard.step({ type: 'everythingMustStop' })
    carried()
    expect(guard.refusal).toBe('noGrant')
  })
})

describe('a saved state (S-92)', () => {
  const permit = (restores: boolean) =>
    guard.step({
      ...{ type: 'gatePermitAsked', gateName: 'pg', ask: guard.ask({ ...SUBJECT, epoch: 5 }) },
      ...(restores && { restores }),
    })
  beforeEach(() => void granted(5, null))

  test('is gone on from before anything else of it has begun here', () => {
    permit(true)
    expect(guard.refusal).toBeNull()
    comes(false)
    expect(guard.refusal).toBe('it may not start in this way')
    comes(true)
    expect(guard.refusal).toBeNull()
  })

  test('M5: and not after: what has run since has changed its disk; a new guard knows that too', () => {
    permit(false)
    comes(false)
    guard.gone(PG)
    permit(true)
    expect(guard.refusal).toBe('it has begun here already')
    guard.restart()
    guard.session(2).renew(2)
    permit(true)
    expect(guard.refusal).toBe('it has begun here already')
  })
})
