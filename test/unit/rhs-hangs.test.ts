/** S-32, S-80: a call that was given up and does not come back. */
import { beforeEach, expect, test } from 'vitest'
import { A, Bench } from './rhs-bench.ts'

let rhs: Bench
beforeEach(() => {
  rhs = new Bench()
})
const hangs = () => rhs.effects.filter((effect) => effect.type === 'hangs')
const idOf = (type: 'poll' | 'call') =>
  rhs.effects.flatMap((effect) => (effect.type === type ? [effect.id] : [])).at(-1) as number

test('a check that has not let go a moment after the deadlock timeout hangs; no other is begun meanwhile', () => {
  rhs.online().wait(5_000)
  rhs.wait(30_000)
  expect(rhs.run()?.status).toBe('unknown')
  expect(rhs.polls()).toEqual([])
  expect(hangs()).toEqual([])
  rhs.wait(200)
  expect(hangs()).toEqual([
    {
      type: 'hangs',
      guids: [A],
      detail: expect.stringMatching(/^isAlive of process has not returned for 30200 ms/),
    },
  ])
  // Said once: what comes then is another process.
  rhs.wait(60_000)
  expect(hangs()).toEqual([])
})

test('one that answers too late, and at once when it is given up, does not hang', () => {
  rhs.online().wait(5_000)
  const [poll] = rhs.polls()
  rhs.wait(30_000)
  rhs.step({ type: 'pollEnded', key: poll?.key as string, id: poll?.id as number, answers: [] })
  rhs.wait(200)
  expect(hangs()).toEqual([])
})

test('an online that was given up has the deadlock timeout to let go', () => {
  rhs.hold()
  rhs.end()
  expect(rhs.run()?.call?.fn).toBe('online')
  const id = idOf('call')
  rhs.wait(10_000)
  expect(rhs.effects).toContainEqual({ type: 'abort', guid: A, id })
  rhs.wait(29_999)
  expect(hangs()).toEqual([])
  rhs.wait(1)
  expect(hangs()).toMatchObject([{ guids: [A] }])
})

test('an online that lets go in time does not hang', () => {
  rhs.hold()
  rhs.end()
  const id = idOf('call')
  rhs.wait(10_000)
  rhs.step({ type: 'callEnded', guid: A, id, outcome: { ok: false, error: 'given up' } })
  rhs.wait(60_000)
  expect(hangs()).toEqual([])
})
