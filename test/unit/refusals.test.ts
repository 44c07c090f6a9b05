/** What a probe makes of a refusal: what time can mend is tried again, what it cannot is given up. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { refusedByBye, refusedByHttp } from '../../probe/agent/refused.ts'
import { PATIENT, refused } from '../../probe/core/patience.ts'
import { reconnectDelayMs } from '../../probe/core/reconnect.ts'
import { ERRORS, type ErrorCode } from '../../schema/errors.ts'

const refusal = (code: ErrorCode) => ({ code, message: 'no' })

describe('patience', () => {
  test.each([
    ['NOT_A_MEMBER', 60_000],
    ['WRONG_KEY', 60_000],
    ['IDENTITY_IN_USE', 900_000],
  ] as const)('%s is given up after %i ms of nothing else', (code, limit) => {
    let known = refused(PATIENT, refusal(code), 1_000)
    for (let ms = 8_000; ms <= limit; ms += 8_000) {
      expect(known.giveUp).toBe(false)
      known = refused(known.patience, refusal(code), 1_000 + ms)
    }
    expect(known.giveUp).toBe(false)
    expect(refused(known.patience, refusal(code), 1_001 + limit).giveUp).toBe(true)
    // Another refusal, silence, or a welcome in between begins anew.
    const other = refusal(code === 'WRONG_KEY' ? 'NOT_A_MEMBER' : 'WRONG_KEY')
    expect(refused(known.patience, other, 1_001 + limit).giveUp).toBe(false)
    expect(refused(known.patience, refusal(code), limit + 60_000).giveUp).toBe(false)
    expect(refused(PATIENT, refusal(code), 10_000_000).giveUp).toBe(false)
  })

  test.each([
    'UNAVAILABLE',
    'PROTOCOL_MISMATCH',
    'ATTEMPT_USED',
    'INTERNAL',
    'BAD_FRAME',
    'WAITS_FOR_FENCE',
    'BOOT_OVER',
  ] as const)('%s is for time to mend, however long it takes', (code) => {
    let { patience } = refused(PATIENT, refusal(code), 0)
    for (let ms = 0; ms < 24 * 3_600_000; ms += 600_000) {
      const now = refused(patience, refusal(code), ms)
      expect(now.giveUp).toBe(false)
      patience = now.patience
    }
  })
})

describe('words', () => {
  test('a bye is a code of the catalogue, with what to do', () => {
    expect(refusedByBye('otherGuard', 'n1 is up')).toEqual({
      code: 'IDENTITY_IN_USE',
      message: 'n1 is up',
      remedy: ERRORS.IDENTITY_IN_USE.remedy,
    })
    expect(refusedByBye('waitsForFence', '')?.code).toBe('WAITS_FOR_FENCE')
    expect(refusedByBye('bootOver', '')?.code).toBe('BOOT_OVER')
    const codes = ['newerProtocol', 'olderProtocol', 'badFrame', 'notMember', 'badSignature']
    expect(codes.map((code) => refusedByBye(code, '')?.code)).toEqual([
      'PROTOCOL_MISMATCH',
      'PROTOCOL_MISMATCH',
      'BAD_FRAME',
      'NOT_A_MEMBER',
      'WRONG_KEY',
    ])
    // Ends of a session that are nobody's fault.
    for (const code of ['superseded', 'closed', 'suspected', 'resync', 'heldNotOwned'])
      expect(refusedByBye(code, '')).toBeNull()
  })

  test('only a problem of ours is believed: a proxy cannot make a probe give up', () => {
    const problem = {
      type: 't',
      title: 't',
      status: 403,
      request: 'r',
      detail: 'gone',
      code: 'NOT_A_MEMBER',
    }
    const text = JSON.stringify(problem)
    expect(refusedByHttp(403, text, 'application/problem+json').code).toBe('NOT_A_MEMBER')
    expect(refusedByHttp(403, text, 'text/html').code).toBe('UNAVAILABLE')
    expect(refusedByHttp(403, '{"code":"NOT_A_MEMBER"}', 'application/problem+json').code).toBe(
      'UNAVAILABLE',
    )
    expect(
      refusedByHttp(403, JSON.stringify({ ...problem, code: 'X' }), 'application/problem+json')
        .code,
    ).toBe('UNAVAILABLE')
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999 }), fc.string(), (status, body) => {
        expect(refusedByHttp(status, body, 'application/problem+json').code).toBe('UNAVAILABLE')
      }),
    )
  })
})

test('the control plane away for an hour: tried at once, then ever more rarely, never more than 8 s apart', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (randoms) => {
      let ms = 0
      let tries = 0
      while (ms < 3_600_000) {
        const delay = reconnectDelayMs(tries, 0, randoms.next().value as number)
        expect(delay).toBeLessThanOrEqual(8_000)
        ms += Math.max(delay, 1)
        tries += 1
      }
      // Neither a storm nor sleep: a try every 2.5 to 7.5 seconds once it has settled.
      expect(tries).toBeGreaterThan(3_600_000 / 8_000)
      expect(tries).toBeLessThan(3_600_000 / 2_500 + 20)
      expect(reconnectDelayMs(0, 4_000, 1)).toBe(0)
    }),
    { numRuns: 20 },
  )
})
