/** Maintenance, as RHS sees it: everything is looked at and reported, and nothing is done about it. */
import { beforeEach, expect, test } from 'vitest'
import { Bench } from './rhs-bench.ts'

let rhs: Bench
const observe = true as const
beforeEach(() => {
  rhs = new Bench()
})

test('S-74: what fails is reported as failed, is not restarted, and is no case for the Failover Manager', () => {
  rhs.online({ observe })
  rhs.push('failed', 'exit 1')
  expect(rhs.reports).toMatchObject([{ status: 'failed', gaveUp: false, detail: 'exit 1' }])
  expect(rhs.log.join()).toContain('left alone, in maintenance')
  rhs.wait(60_000)
  expect(rhs.calls).toEqual([])
  // IsAlive goes on.
  expect(rhs.polls()).toHaveLength(1)
})

test('S-74: when it is over what failed is started, with all its attempts', () => {
  rhs.online({ observe })
  rhs.push('failed', 'exit 1')
  rhs.hold()
  expect(rhs.calls).toEqual(['online'])
  rhs.end({ ok: false, error: 'no' })
  expect(rhs.reports).toMatchObject([{ status: 'failed', gaveUp: false, restarts: 1 }])
})

test('a restart that was due when it began is not made', () => {
  rhs.online()
  rhs.push('failed', 'exit 1')
  rhs.hold({ observe })
  rhs.wait(60_000)
  expect(rhs.calls).toEqual([])
  expect(rhs.run()?.status).toBe('failed')
})

test('G8: what has ended while no monitor looked is seen, and not started', () => {
  rhs.hold({ observe }, true)
  rhs.end()
  rhs.answer('offline')
  expect(rhs.reports).toMatchObject([{ status: 'failed', gaveUp: false }])
  rhs.wait(60_000)
  expect(rhs.calls).toEqual([])
})

test('S-62: what its own manager has stopped is not started by the end of maintenance', () => {
  rhs.online({ observe })
  rhs.push('stopped', 'virsh shutdown')
  rhs.hold()
  rhs.wait(60_000)
  expect(rhs.calls).toEqual([])
})

test('S-67: an operator may still take it offline and bring it online', () => {
  rhs.online({ observe })
  rhs.hold({ observe, persistentState: 0, target: 0 })
  expect(rhs.calls).toEqual(['offline'])
  rhs.end()
  rhs.hold({ observe, persistentState: 1, target: 1 })
  expect(rhs.calls).toEqual(['online'])
})
