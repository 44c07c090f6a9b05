import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Rounds } from '../../probe/guard/rounds.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('many things are looked at in one turn, and nothing is when there is nothing left', () => {
  const rounds = new Rounds(50)
  const seen: string[] = []
  rounds.set('a', () => void seen.push('a'))
  vi.advanceTimersByTime(30)
  rounds.set('b', () => void seen.push('b'))
  vi.advanceTimersByTime(20)
  expect(seen).toEqual(['a', 'b'])
  expect(vi.getTimerCount()).toBe(1)
  rounds.delete('a')
  rounds.delete('b')
  expect(vi.getTimerCount()).toBe(0)
})

test('one that ends another, or begins it anew, has it not looked at once more', () => {
  const rounds = new Rounds(50)
  const seen: string[] = []
  rounds.set('a', () => {
    seen.push('a')
    rounds.delete('b')
  })
  rounds.set('b', () => void seen.push('b'))
  vi.advanceTimersByTime(100)
  expect(seen).toEqual(['a', 'a'])
})
