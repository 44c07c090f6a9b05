import { expect, test } from 'vitest'
import { A, Bench } from '../rhs-bench.ts'

test('C5: a resource that nobody can be asked about is stopped all the same when its group leaves', () => {
  const rhs = new Bench()
  rhs.hold()
  rhs.end()
  rhs.end()
  rhs.push('unknown', 'libvirtd does not answer')
  expect(rhs.run(A)?.call).toBeNull()
  rhs.hold({ target: 0 })
  expect(rhs.run(A)?.call?.fn).toBe('offline')
  rhs.end({ ok: false, error: 'libvirtd does not answer' })
  expect(rhs.run(A)?.call?.fn).toBe('terminate')
  rhs.end()
  expect(rhs.run(A)?.status).toBe('offline')
  rhs.push('unknown', 'libvirtd does not answer')
  expect(rhs.run(A)).toMatchObject({ status: 'offline', call: null })
})

test('G8: adopted while it was being stopped by an RHS that died: the stop is taken up', () => {
  const rhs = new Bench()
  rhs.hold({ target: 0 }, true)
  rhs.end()
  rhs.answer('offlinePending')
  expect(rhs.run(A)?.call?.fn).toBe('offline')
})
