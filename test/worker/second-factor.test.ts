/** A second factor: codes of an app beside the password, each good once, and codes for who has lost it (issue 7.1). */

import { env } from 'cloudflare:workers'
import { base32 } from '@better-auth/utils/base32'
import { createOTP } from '@better-auth/utils/otp'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { SessionMade } from '../../schema/api/accounts.ts'
import { LIMITS } from '../../schema/limits.ts'
import { done, newcomer, PASSWORD, refusedTo } from './people.ts'

const STEP_MS = 30_000
// Time goes on by the test alone: no half minute ends between a code and its use.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() }))
afterEach(() => void vi.useRealTimers())
const later = (ms: number) => void vi.setSystemTime(Date.now() + ms)

interface Begun {
  secret: string
  uri: string
}
const begin = (token: string, password = PASSWORD) =>
  done<Begun>('beginSecondFactor', { token, body: { password } })
/** As an app makes it, by a clock that may be wrong. */
const codeOf = (secret: string, apart = 0) =>
  createOTP(base32.decode(secret)).hotp(Math.floor(Date.now() / STEP_MS) + apart)
const logIn = (email: string, code?: string) => ({ body: { email, password: PASSWORD, code } })
const sessionsOf = async (id: string) =>
  (await env.DB.prepare('select id from sessions where person_id = ?').bind(id).all()).results
    .length

async function withFactor() {
  const ana = await newcomer()
  const { secret } = await begin(ana.token)
  const body = { code: await codeOf(secret) }
  const { recoveryCodes } = await done<{ recoveryCodes: string[] }>('confirmSecondFactor', {
    ...{ token: ana.token, body },
  })
  later(STEP_MS)
  return { ...ana, secret, recoveryCodes }
}

describe('from its first code on', () => {
  test('one is asked for beside the password, and makes a session', async () => {
    const ana = await newcomer()
    const { secret, uri } = await begin(ana.token)
    expect(uri).toMatch(/^otpauth:\/\/totp\/Holdfast:ana-.+\?secret=[A-Z2-7]{32}&issuer=Holdfast/)
    // Begun only: whoever has not got it into their app is not locked out.
    await done('logIn', logIn(ana.email))
    const body = { code: await codeOf(secret) }
    const confirmed = await done<{ recoveryCodes: string[] }>('confirmSecondFactor', {
      ...{ token: ana.token, body },
    })
    expect(new Set(confirmed.recoveryCodes).size).toBe(LIMITS.recoveryCodes)
    later(STEP_MS)
    expect(await refusedTo('logIn', logIn(ana.email))).toMatchObject({
      ...{ status: 401, code: 'SECOND_FACTOR_NEEDED' },
    })
    const made = await done<SessionMade>('logIn', logIn(ana.email, await codeOf(secret)))
    await done('listSessions', { token: made.token })
  })

  test('who does not know the password is not told that there is one', async () => {
    const ana = await withFactor()
    const body = { email: ana.email, password: 'not the password', code: '000000' }
    expect(await refusedTo('logIn', { body })).toMatchObject({
      ...{ code: 'UNAUTHENTICATED', detail: 'address or password is wrong' },
    })
  })

  test('a password that is right without its code leaves no session', async () => {
    const ana = await withFactor()
    const before = await sessionsOf(ana.person.id)
    await refusedTo('logIn', logIn(ana.email))
    await refusedTo('logIn', logIn(ana.email, '000000'))
    expect(await sessionsOf(ana.person.id)).toBe(before)
  })
})

describe('a code', () => {
  test('is good once, also for two that come at once', async () => {
    const ana = await withFactor()
    const code = await codeOf(ana.secret)
    const answers = await Promise.allSettled([
      done('logIn', logIn(ana.email, code)),
      done('logIn', logIn(ana.email, code)),
    ])
    expect(answers.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await refusedTo('logIn', logIn(ana.email, code))).toMatchObject({
      detail: 'this code is wrong, or was used before',
    })
    // Nor is one of before it, although its half minute would still count.
    expect(await refusedTo('logIn', logIn(ana.email, await codeOf(ana.secret, -1)))).toMatchObject({
      status: 401,
    })
  })

  test.each([-1, 1])('of a clock that is half a minute apart (%s) is right', async (apart) => {
    const ana = await withFactor()
    later(STEP_MS)
    await done('logIn', logIn(ana.email, await codeOf(ana.secret, apart)))
  })

  test.each([-2, 2])('of one that is further apart (%s) is not', async (apart) => {
    const ana = await withFactor()
    later(3 * STEP_MS)
    const asked = logIn(ana.email, await codeOf(ana.secret, apart))
    expect(await refusedTo('logIn', asked)).toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  test('may be guessed a few times only, from wherever', async () => {
    const ana = await withFactor()
    for (let tried = 1; tried < LIMITS.attemptsOfCode; tried++) {
      const headers = { 'cf-connecting-ip': `192.0.2.${tried}` }
      await refusedTo('logIn', { ...logIn(ana.email, '000000'), headers })
    }
    const right = logIn(ana.email, await codeOf(ana.secret))
    expect(await refusedTo('logIn', right)).toMatchObject({ code: 'RATE_LIMITED' })
  })

  test.each(['12345', '1234567', 'abc', '１２３４５６', 'A'.repeat(33)])(
    'is none: %s',
    async (code) => {
      expect(await refusedTo('logIn', logIn('ana@example.com', code))).toMatchObject({
        code: 'BAD_REQUEST',
      })
    },
  )
})

describe('who has lost the app', () => {
  test('gets in by a recovery code, each once, however it is written', async () => {
    const ana = await withFactor()
    const [first = '', second = ''] = ana.recoveryCodes
    await done('logIn', logIn(ana.email, first.toLowerCase().replace('-', ' ')))
    expect(await refusedTo('logIn', logIn(ana.email, first))).toMatchObject({ status: 401 })
    await done('logIn', logIn(ana.email, second))
  })

  test('takes the factor away with one, and may then begin with another', async () => {
    const ana = await withFactor()
    const again = { token: ana.token, body: { password: PASSWORD } }
    expect(await refusedTo('beginSecondFactor', again)).toMatchObject({
      code: 'SECOND_FACTOR_THERE',
    })
    const [code] = ana.recoveryCodes
    await done('removeSecondFactor', { token: ana.token, body: { password: PASSWORD, code } })
    await done('logIn', logIn(ana.email))
    await begin(ana.token)
  })
})

describe('whoever has found a session', () => {
  test('adds none and takes none away without the password', async () => {
    const ana = await newcomer()
    const wrong = { password: 'not the password' }
    const asked = { token: ana.token, body: wrong }
    expect(await refusedTo('beginSecondFactor', asked)).toMatchObject({ status: 403 })
    const ben = await withFactor()
    const code = await codeOf(ben.secret)
    expect(
      await refusedTo('removeSecondFactor', { token: ben.token, body: { ...wrong, code } }),
    ).toMatchObject({ status: 403 })
    expect(
      await refusedTo('removeSecondFactor', {
        ...{ token: ben.token, body: { password: PASSWORD, code: '000000' } },
      }),
    ).toMatchObject({ status: 403, detail: 'this code is wrong, or was used before' })
    await refusedTo('logIn', logIn(ben.email))
  })

  test('confirms none that was begun by nobody, or by a wrong code', async () => {
    const ana = await newcomer()
    const guess = { token: ana.token, body: { code: '000000' } }
    expect(await refusedTo('confirmSecondFactor', guess)).toMatchObject({
      detail: 'no second factor was begun',
    })
    await begin(ana.token)
    expect(await refusedTo('confirmSecondFactor', guess)).toMatchObject({ status: 403 })
    await done('logIn', logIn(ana.email))
  })
})

test('a copy of the database makes no codes: secret and recovery codes are not in it', async () => {
  const ana = await withFactor()
  const rows = JSON.stringify((await env.DB.prepare('select * from second_factors').all()).results)
  expect(rows).toContain(ana.person.id)
  for (const one of [
    ana.secret,
    ...ana.recoveryCodes,
    ...ana.recoveryCodes.map((c) => c.replace('-', '')),
  ])
    expect(rows).not.toContain(one)
  // Sealed with another secret they cannot be checked, and that is said; a recovery code still is good.
  const other = { AUTH_SECRET: 'x'.repeat(40) }
  const code = await codeOf(ana.secret)
  expect(await refusedTo('logIn', { ...logIn(ana.email, code), env: other })).toMatchObject({
    ...{ code: 'UNAVAILABLE', detail: 'codes of this account cannot be checked' },
  })
  await done('logIn', { ...logIn(ana.email, ana.recoveryCodes[0]), env: other })
})
