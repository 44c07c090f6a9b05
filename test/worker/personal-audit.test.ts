/** What members do about their own accounts is in the audit log of each of their organisations (issue 7.5). */
import { env } from 'cloudflare:workers'
import { base32 } from '@better-auth/utils/base32'
import { createOTP } from '@better-auth/utils/otp'
import { expect, test } from 'vitest'
import type { SessionMade } from '../../schema/api/accounts.ts'
import type { AuditPage } from '../../schema/api/audit.ts'
import { LIMITS } from '../../schema/limits.ts'
import { sha256 } from '../../worker/secrets.ts'
import { done, founder, mailed, newcomer, PASSWORD, refusedTo, send, tokenIn } from './people.ts'

const NEW = 'another horse battery'
const logIn = (email: string, password = PASSWORD, code?: string) => ({
  body: { email, password, code },
})

/** What is told of one person, oldest first: what was done, or what it was refused with. */
async function toldOf(email: string, token: string, after = 0) {
  const page = await done<AuditPage>('listAudit', { token, query: { after: String(after) } })
  const entries = page.entries.filter((one) => one.about?.kind === 'person')
  for (const one of entries) {
    expect(one.who).toMatchObject({ kind: 'person', name: email })
    expect(one.about?.name).toBe(email)
  }
  return entries.map((one) => one.action ?? `${one.route} ${one.refused}`)
}

test('a life of an account: every step is told, and no secret is', async () => {
  const ana = await founder()
  const { email } = ana
  const first = await done<SessionMade>('logIn', logIn(email))
  await refusedTo('logIn', logIn(email, 'not the password'))
  const second = await done<SessionMade>('logIn', logIn(email))
  const { sessions } = await done<{ sessions: { id: string; current: boolean }[] }>(
    'listSessions',
    { token: second.token },
  )
  const other = sessions.find((one) => !one.current)?.id ?? ''
  await done('endSession', { token: second.token, params: { session: other } })
  await refusedTo('changePassword', {
    ...{ token: second.token, body: { current: 'not the password', password: NEW } },
  })
  await done('changePassword', { token: second.token, body: { current: PASSWORD, password: NEW } })
  const [mail] = await mailed(() => done('forgotPassword', { body: { email } }))
  await done('resetPassword', { body: { token: tokenIn(mail), password: PASSWORD } })
  // Else all that was tried before would be too much.
  await env.DB.prepare('delete from attempts').run()
  const third = await done<SessionMade>('logIn', logIn(email))
  const { secret } = await done<{ secret: string }>('beginSecondFactor', {
    ...{ token: third.token, body: { password: PASSWORD } },
  })
  const codeOf = (apart: number) =>
    createOTP(base32.decode(secret)).hotp(Math.floor(Date.now() / 30_000) + apart)
  const { recoveryCodes } = await done<{ recoveryCodes: [string] }>('confirmSecondFactor', {
    ...{ token: third.token, body: { code: await codeOf(0) } },
  })
  await refusedTo('logIn', logIn(email))
  await refusedTo('logIn', logIn(email, PASSWORD, '000000'))
  await done('removeSecondFactor', {
    ...{ token: third.token, body: { password: PASSWORD, code: recoveryCodes[0] } },
  })
  expect(await toldOf(email, third.token)).toEqual([
    ...['logIn', 'logIn UNAUTHENTICATED', 'logIn', 'endSession'],
    ...['changePassword FORBIDDEN', 'changePassword', 'resetPassword'],
    ...['logIn', 'addSecondFactor', 'logIn SECOND_FACTOR_NEEDED', 'logIn UNAUTHENTICATED'],
    'removeSecondFactor',
  ])
  await done('logOut', { token: third.token })
  const last = await done<SessionMade>('logIn', logIn(email))
  expect((await toldOf(email, last.token)).slice(-2)).toEqual(['logOut', 'logIn'])
  const all = JSON.stringify(await done('listAudit', { token: last.token }))
  for (const one of [PASSWORD, NEW, secret, recoveryCodes[0], first.token, last.token])
    expect(all).not.toContain(one)
})

test('in each of their organisations; of who belongs to none, or is nobody, nowhere', async () => {
  const ana = await founder()
  const ben = await newcomer('Ben')
  await done('logIn', logIn(ben.email))
  await refusedTo('logIn', logIn('nobody@example.com'))
  const others = await toldOf(ben.email, ana.token)
  expect(others).toEqual([])
  const body = { email: ben.email, role: 'viewer' }
  const [mail] = await mailed(() => done('inviteMember', { token: ana.token, body }))
  await done('acceptInvitation', { token: ben.token, body: { token: tokenIn(mail) } })
  await done('logIn', logIn(ben.email))
  expect(await toldOf(ben.email, ana.token)).toEqual(['logIn'])
})

test('refused logins of one account: so often in an hour in each organisation, and the last says so', async () => {
  const ana = await founder()
  const ben = await founder('Ben')
  const body = { email: ana.email, role: 'viewer' }
  const [mail] = await mailed(() => done('inviteMember', { token: ben.token, body }))
  await done('acceptInvitation', { token: ana.token, body: { token: tokenIn(mail) } })
  const most = LIMITS.auditLoginRefusalsPerHour
  for (let n = 0; n < most + 3; n += 1) {
    // Of one caller at one account no more are tried.
    if (n === 8) await env.DB.prepare('delete from attempts').run()
    await refusedTo('logIn', logIn(ana.email, `wrong ${n}`))
  }
  await done('useOrganisation', {
    ...{ token: ana.token, body: { organisation: ana.organisation.id } },
  })
  for (const { token } of [ana, ben]) {
    const told = await toldOf(ana.email, token)
    expect(told).toEqual(Array.from({ length: most }, () => 'logIn UNAUTHENTICATED'))
    const { entries } = await done<AuditPage>('listAudit', { token, query: { after: '0' } })
    const marks = entries.filter((one) => one.refused !== null).map((one) => one.furtherLeftOut)
    expect(marks).toEqual([...Array.from({ length: most - 1 }, () => false), true])
  }
  // What they are refused by themselves is told all the same.
  await env.DB.prepare('delete from attempts').run()
  await refusedTo('changePassword', {
    ...{ token: ana.token, body: { current: 'not the password', password: NEW } },
  })
  expect((await toldOf(ana.email, ana.token)).at(-1)).toBe('changePassword FORBIDDEN')
})

test('what cannot be told is not done', async () => {
  const ana = await founder()
  const { secret } = await done<{ secret: string }>('beginSecondFactor', {
    ...{ token: ana.token, body: { password: PASSWORD } },
  })
  const code = await createOTP(base32.decode(secret)).hotp(Math.floor(Date.now() / 30_000))
  await env.DB.prepare(
    "create trigger no_audit before insert on audit begin select raise(abort, 'no'); end",
  ).run()
  try {
    for (const [name, body] of [
      ['confirmSecondFactor', { code }],
      ['changePassword', { current: PASSWORD, password: NEW }],
      ['logOut', undefined],
      ['logIn', logIn(ana.email).body],
    ] as const)
      expect((await send(name, { token: ana.token, body })).status, name).toBeGreaterThanOrEqual(
        500,
      )
  } finally {
    await env.DB.prepare('drop trigger no_audit').run()
  }
  // No second factor, the same password, and one session.
  await done('logIn', logIn(ana.email))
  const { sessions } = await done<{ sessions: object[] }>('listSessions', { token: ana.token })
  expect(sessions).toHaveLength(2)
})

test('so many logins of one person in an hour, and no more', async () => {
  const ana = await founder()
  const sum = await sha256(`login of ${ana.person.id}`)
  await done('logIn', logIn(ana.email))
  const { meta } = await env.DB.prepare('update attempts set count = ? where bucket = ?')
    .bind(LIMITS.loginsPerHour, sum)
    .run()
  expect(meta.changes).toBe(1)
  expect((await refusedTo('logIn', logIn(ana.email))).code).toBe('RATE_LIMITED')
})
