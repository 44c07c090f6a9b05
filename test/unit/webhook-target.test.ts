/** Where webhooks may point to: never inside (SSRF). And when what failed is sent again. */
import { expect, test } from 'vitest'
import { retryInMs } from '../../worker/webhooks/retries.ts'
import { newWebhookSecret, signedHeaders } from '../../worker/webhooks/signing.ts'
import { requireTarget, targetProblem } from '../../worker/webhooks/target.ts'

const INSIDE = [
  'http://example.com/', // not encrypted
  'ftp://example.com/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'https://user:pass@example.com/',
  'https://example.com/#there',
  'https://127.0.0.1/',
  'https://127.1/',
  'https://2130706433/',
  'https://0x7f000001/',
  'https://0177.0.0.1/',
  'https://0.0.0.0/',
  'https://10.0.0.1/',
  'https://172.16.0.1/',
  'https://172.31.255.255/',
  'https://192.168.1.1/',
  'https://169.254.169.254/latest/meta-data/',
  'https://100.64.0.1/',
  'https://192.0.2.1/',
  'https://198.18.0.1/',
  'https://224.0.0.1/',
  'https://255.255.255.255/',
  'https://[::1]/',
  'https://[::]/',
  'https://[fe80::1]/',
  'https://[fc00::1]/',
  'https://[fd12:3456::1]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:7f00:1]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[2002:7f00:1::]/',
  'https://[2001:db8::1]/',
  'https://[ff02::1]/',
  'https://localhost/',
  'https://localhost./',
  'https://LOCALHOST/',
  'https://api.localhost/',
  'https://printer.local/',
  'https://metadata.google.internal/',
  'https://db.corp/',
  'https://router/',
  'https://ⓛocalhost/', // becomes "localhost"
  'https://127。0。0。1/', // becomes 127.0.0.1
  'not a URL',
  '',
]

test.each(INSIDE)('refused: %s', (url) => {
  expect(targetProblem(url, false)).not.toBeNull()
  expect(() => requireTarget(url, false)).toThrow(
    expect.objectContaining({
      refusal: expect.objectContaining({ code: 'WEBHOOK_TARGET_REFUSED' }),
    }),
  )
})

test.each([
  'https://example.com/hook',
  'https://hooks.example.com:8443/a?b=c',
  'https://8.8.8.8/',
  'https://[2606:4700:4700::1111]/',
  'https://xn--bcher-kva.example/',
])('accepted: %s', (url) => {
  expect(targetProblem(url, false)).toBeNull()
})

test('where all targets are allowed, only what is no web address is refused', () => {
  expect(targetProblem('http://127.0.0.1:3000/', true)).toBeNull()
  expect(targetProblem('https://10.0.0.1/', true)).toBeNull()
  expect(targetProblem('file:///etc/passwd', true)).not.toBeNull()
  expect(targetProblem('http://a:b@127.0.0.1/', true)).not.toBeNull()
})

test('retries: 5 s to 24 h, by a fifth more or less, and then no more', () => {
  const delays = Array.from({ length: 9 }, (_, n) => retryInMs(n + 1, 1, 0.5))
  const [s, min, h] = [1_000, 60_000, 3_600_000]
  const table = [5 * s, 30 * s, 2 * min, 10 * min, 30 * min, 2 * h, 6 * h, 24 * h]
  expect(delays).toEqual([...table, null])
  expect(retryInMs(1, 1, 0)).toBe(4_000)
  expect(retryInMs(1, 1, 0.999_999)).toBe(6_000)
})

test('the scheme of Standard Webhooks, to the letter', async () => {
  const secret = `whsec_${btoa('0123456789abcdef0123456789abcdef')}`
  const headers = signedHeaders([secret], 'msg_1', '{"a":1}', 1_700_000_000_123)
  expect(headers['webhook-timestamp']).toBe('1700000000')
  const key = await crypto.subtle.importKey(
    'raw',
    new TextEncoder().encode('0123456789abcdef0123456789abcdef'),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['sign'],
  )
  const text = new TextEncoder().encode('msg_1.1700000000.{"a":1}')
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, text))
  expect(headers['webhook-signature']).toBe(`v1,${btoa(String.fromCharCode(...mac))}`)
  const two = signedHeaders([secret, newWebhookSecret()], 'msg_1', '{"a":1}', 0)
  expect(two['webhook-signature']?.split(' ')).toHaveLength(2)
})
