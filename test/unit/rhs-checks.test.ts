/** When RHS asks, and about how many at once. */
import { beforeEach, expect, test } from 'vitest'
import { A, B, Bench, heldResource } from './rhs-bench.ts'

let rhs: Bench
beforeEach(() => {
  rhs = new Bench()
})

test('S-27: what came online one after the other is soon asked about in one call', () => {
  rhs.online()
  const gaps: Record<string, number[]> = { [A]: [], [B]: [] }
  const lastMs: Record<string, number> = { [A]: 0 }
  let asked = 0
  for (let ms = 0; ms < 60_000; ms += 100) {
    rhs.wait(100)
    const polls = rhs.polls()
    if (ms >= 20_000) asked += polls.length
    for (const { key, id, guids } of polls) {
      for (const guid of guids) {
        gaps[guid]?.push(rhs.nowMs - (lastMs[guid] ?? 0))
        lastMs[guid] = rhs.nowMs
      }
      const answers = guids.map((guid) => ({ guid, status: 'online' as const }))
      rhs.step({ type: 'pollEnded', key, id, answers })
    }
    if (rhs.nowMs !== 2_000) continue
    rhs.hold({ guid: B, name: 'db' })
    lastMs[B] = rhs.nowMs
    rhs.end({ ok: true }, B)
    rhs.end({ ok: true }, B)
  }
  expect(asked).toBe(8)
  for (const all of Object.values(gaps)) {
    // Never later than its interval, at most twice sooner, and by less than half of it.
    expect(Math.max(...all)).toBe(5_000)
    expect(Math.min(...all)).toBeGreaterThan(2_500)
    expect(all.filter((ms) => ms < 5_000).length).toBeLessThanOrEqual(2)
  }
})

test('S-26: with another interval it keeps its own times', () => {
  rhs.online()
  rhs.wait(2_000)
  const poll = { ...heldResource().poll, isAliveMs: 4_000 }
  rhs.hold({ guid: B, name: 'db', poll })
  rhs.end({ ok: true }, B)
  rhs.end({ ok: true }, B)
  rhs.wait(3_000)
  expect(rhs.polls()).toMatchObject([{ guids: [A] }])
  expect(rhs.run(A)?.isAliveAtMs).toBe(10_000)
  rhs.answer('online')
  rhs.wait(1_000)
  expect(rhs.polls()).toMatchObject([{ guids: [B] }])
  expect(rhs.run(B)?.isAliveAtMs).toBe(10_000)
})

test('S-26: whose time falls into the check of another is checked all the same', () => {
  const poll = { ...heldResource().poll, isAliveMs: 1_000 }
  rhs.online({ poll })
  rhs.wait(100)
  rhs.hold({ guid: B, name: 'db', poll })
  rhs.end({ ok: true }, B)
  rhs.end({ ok: true }, B)
  const checks: Record<string, number> = { [A]: 0, [B]: 0 }
  let underWay: { key: string; id: number; guids: string[]; endsMs: number } | null = null
  while (rhs.nowMs < 20_000) {
    rhs.wait(50)
    const [begun] = rhs.polls()
    if (begun) underWay = { ...begun, endsMs: rhs.nowMs + 300 }
    if (!underWay || underWay.endsMs > rhs.nowMs) continue
    const { key, id, guids } = underWay
    for (const guid of guids) checks[guid] = (checks[guid] ?? 0) + 1
    const answers = guids.map((guid) => ({ guid, status: 'online' as const }))
    rhs.step({ type: 'pollEnded', key, id, answers })
    underWay = null
  }
  expect(checks[A]).toBeGreaterThanOrEqual(18)
  expect(checks[B]).toBeGreaterThanOrEqual(18)
})
