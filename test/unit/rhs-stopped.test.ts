/** S-62: what the workload's own manager has stopped on purpose, as RHS sees it. */
import { beforeEach, expect, test } from 'vitest'
import { A, Bench } from './rhs-bench.ts'

let rhs: Bench
beforeEach(() => {
  rhs = new Bench()
})

test.each(['failed', 'offline', 'unknown'] as const)(
  'S-62: what was stopped on purpose and is then seen %s is told as stopped to whoever asks anew',
  (status) => {
    rhs.online().push('stopped', 'virsh shutdown')
    // Its process has ended too, as the guard sees; the agent dies before it has heard of either.
    rhs.push(status, 'ended')
    rhs.wait(60_000)
    expect(rhs.step({ type: 'toldAgain' })).toMatchObject([
      { type: 'report', items: [{ status: 'stopped', detail: 'virsh shutdown' }] },
    ])
    expect(rhs.calls).toEqual([])
  },
)

test('S-40: said to be offline by a module that was wrong, and on record: stopped when it is seen', () => {
  rhs.hold({ persistentState: 0, target: 0 })
  rhs.end()
  expect(rhs.run()?.status).toBe('offline')
  rhs.step({ type: 'pushed', guid: A, status: 'online', detail: '', onRecord: true })
  expect(rhs.calls).toEqual(['offline'])
  // Started by somebody else it is reported, and left alone (S-73).
  rhs.end()
  rhs.step({ type: 'pushed', guid: A, status: 'online', detail: '', onRecord: false })
  expect(rhs.calls).toEqual([])
  expect(rhs.reports).toMatchObject([{ status: 'online', detail: expect.stringContaining('else') }])
})

test('S-62, S-74: stopped on purpose, started again by its manager, and failed after that: Online', () => {
  rhs.online().push('stopped', 'virsh shutdown')
  rhs.push('online')
  expect(rhs.reports).toMatchObject([{ status: 'online' }])
  rhs.push('failed', 'exit 1')
  rhs.wait(500)
  expect(rhs.calls).toEqual(['online'])
})

test('S-62, S-68: stopped by its own manager: reported, and not started again', () => {
  rhs.online().push('stopped', 'virsh shutdown')
  expect(rhs.reports).toMatchObject([{ status: 'stopped', detail: 'virsh shutdown' }])
  rhs.wait(60_000)
  expect(rhs.calls).toEqual([])
  // The hive follows; when somebody wants it again it is started.
  rhs.hold({ persistentState: 0, target: 0 })
  expect(rhs.reports).toMatchObject([{ status: 'offline' }])
  expect(rhs.hold({ persistentState: 1, target: 1 })).toMatchObject([
    { type: 'call', fn: 'online' },
    { type: 'report' },
  ])
})
