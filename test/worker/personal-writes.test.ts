/** Idempotency-Key of what people change about themselves (issue 7.3). */
import { expect, test } from 'vitest'
import { done, newcomer, PASSWORD, refusedTo, send } from './people.ts'

const KEY = { 'idempotency-key': 'one-and-the-same' }

test('sent again it is answered as before, and not done again', async () => {
  const ana = await newcomer()
  const asked = { token: ana.token, headers: KEY, body: { name: `org-${crypto.randomUUID()}` } }
  const first = await send('createOrganisation', asked)
  const again = await send('createOrganisation', asked)
  expect([first.status, again.status]).toEqual([200, 200])
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect(await again.text()).toBe(await first.text())
  const { organisations } = await done<{ organisations: object[] }>('listOrganisations', {
    token: ana.token,
  })
  expect(organisations).toHaveLength(1)
})

test('with another body it is refused; somebody else has keys of their own', async () => {
  const [ana, ben] = [await newcomer(), await newcomer('Ben')]
  const body = () => ({ name: `org-${crypto.randomUUID()}` })
  await done('createOrganisation', { token: ana.token, headers: KEY, body: body() })
  const other = { token: ana.token, headers: KEY, body: body() }
  expect((await refusedTo('createOrganisation', other)).code).toBe('IDEMPOTENCY_KEY_REUSED')
  await done('createOrganisation', { token: ben.token, headers: KEY, body: body() })
  const bad = { token: ana.token, headers: { 'idempotency-key': 'short' }, body: body() }
  expect((await refusedTo('createOrganisation', bad)).code).toBe('BAD_REQUEST')
})

test('a password that was changed is not looked at again, as it is another one by now', async () => {
  const ana = await newcomer()
  const body = { current: PASSWORD, password: 'another horse battery' }
  const asked = { token: ana.token, headers: KEY, body }
  await done('changePassword', asked)
  await done('changePassword', asked)
  expect((await refusedTo('changePassword', { token: ana.token, body })).code).toBe('FORBIDDEN')
})

test('what only looks is never answered from before, whatever comes with it', async () => {
  const ana = await newcomer()
  const look = () =>
    done<{ sessions: object[] }>('listSessions', { token: ana.token, headers: KEY })
  const { length } = (await look()).sessions
  await done('logIn', { body: { email: ana.email, password: PASSWORD } })
  expect((await look()).sessions).toHaveLength(length + 1)
})
