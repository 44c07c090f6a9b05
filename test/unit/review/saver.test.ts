import { beforeEach, expect, test, vi } from 'vitest'
import { emptyGuard, type GuardEffect } from '../../../probe/core/guard.ts'
import { Saver } from '../../../probe/guard/saver.ts'

const held: GuardEffect = { type: 'toAgent', frame: { t: 'held', session: 1, held: [] } }
const lapsed: GuardEffect = { type: 'toAgent', frame: { t: 'lapsed', lease: 'pong' } }
const yes: GuardEffect = { type: 'answerRhs', requestId: 1, ok: true }
const no: GuardEffect = { type: 'answerRhs', requestId: 1, ok: false }

let full = false
let written = 0
let done: GuardEffect[] = []
const make = () =>
  new Saver(
    {
      write() {
        if (full) throw new Error('ENOSPC')
        written += 1
      },
      read: () => null,
    } as never,
    () => emptyGuard('boot-0000', '11111111-1111-4111-8111-111111111111'),
    (effect) => done.push(effect),
  )

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  full = false
  written = 0
  done = []
  return () => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  }
})

test('G9: with a file that can be written nothing waits', () => {
  const saver = make()
  saver.now()
  expect(written).toBe(1)
  for (const effect of [held, lapsed, yes, no]) expect(saver.holdsBack(effect)).toBe(false)
})

test('G1, G9: a full disk: what ends goes on, what acknowledges waits for the file', async () => {
  const saver = make()
  full = true
  saver.now()
  expect(saver.lags).toBe(true)
  for (const effect of [{ type: 'killRhs', monitor: 'all' } as const, lapsed, no])
    expect(saver.holdsBack(effect)).toBe(false)
  for (const effect of [held, yes]) expect(saver.holdsBack(effect)).toBe(true)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(done).toEqual([])
  full = false
  await vi.advanceTimersByTimeAsync(200)
  expect(done).toEqual([held, yes])
  expect(saver.lags).toBe(false)
  expect(vi.getTimerCount()).toBe(0)
})
