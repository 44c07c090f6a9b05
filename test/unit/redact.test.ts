import fc from 'fast-check'
import { expect, test } from 'vitest'
import { REDACTED, redacted, redactedText } from '../../cli/redact.ts'

test.each([
  ['Authorization: Bearer hfk_abcdef123456', 'hfk_abcdef123456'],
  ['token hfj_abcdef123456.', 'hfj_abcdef123456'],
  ['postgres://app:s3cr3t@db/x', 's3cr3t'],
  ['run --password=hunter2 now', 'hunter2'],
  ['PGPASSWORD=hunter2 pg_dump', 'hunter2'],
])('of "%s" the secret is left out, and nothing else', (text, secret) => {
  const said = redactedText(text)
  expect(said).not.toContain(secret)
  expect(said.replace(REDACTED, secret)).toBe(text)
})

test('what is named like a secret is left out, however deep', () => {
  const said = redacted({
    properties: {
      command: '/bin/x',
      env: { DB_PASSWORD: 'a' },
      parameters: [{ passwd: 'b', user: 'u' }],
    },
    fence: { options: { password: 'c', plug: '3' } },
    count: 3,
    none: null,
  })
  expect(said).toEqual({
    properties: {
      command: '/bin/x',
      env: { DB_PASSWORD: REDACTED },
      parameters: [{ passwd: REDACTED, user: 'u' }],
    },
    fence: { options: { password: REDACTED, plug: '3' } },
    count: 3,
    none: null,
  })
})

test('property: whatever a secret is, its text is in no report', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9]{8,20}$/), fc.nat(5), (secret, depth) => {
      let value: unknown = { api_key: secret, words: [`--token=${secret}`] }
      for (let n = 0; n < depth; n += 1) value = n % 2 ? [value] : { inside: value }
      expect(JSON.stringify(redacted(value))).not.toContain(secret)
    }),
  )
})
