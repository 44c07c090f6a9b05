/** The client of the API: a write whose connection was lost is sent again, and is the same write. */
import { expect, test } from 'vitest'
import { createClient } from '../../schema/api/client.ts'

interface Sent {
  method: string | undefined
  key: string | null
}

/** Each call gets the next of these; the last one is for all others. */
function serving(...answers: (() => Response)[]) {
  const sent: Sent[] = []
  const send = async (_: unknown, init: RequestInit = {}) => {
    sent.push({ method: init.method, key: new Headers(init.headers).get('idempotency-key') })
    return (answers[Math.min(sent.length, answers.length) - 1] as () => Response)()
  }
  const client = createClient({
    url: 'http://127.0.0.1:1',
    key: 'hfk_of-the-test',
    fetch: send as typeof fetch,
  })
  const make = () => client('createGroup', { params: { cluster: 'c' }, body: { name: 'web' } })
  return { sent, client, make }
}

const fails = (code: string) => () => {
  throw new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })
}
const done = () => new Response('{"seq":2,"id":"g1"}')
const inUse = () =>
  new Response(
    JSON.stringify({
      ...{ type: 'https://x', title: 'x', status: 409, detail: 'under way', request: 'r1' },
      ...{ code: 'IDEMPOTENCY_KEY_IN_USE', why: 'x', remedy: 'x' },
    }),
    { status: 409 },
  )

test('lost on the way: again with the same key, until there is an answer', async () => {
  const { sent, make } = serving(fails('ECONNRESET'), fails('ECONNREFUSED'), inUse, done)
  expect(await make()).toEqual({ seq: 2, id: 'g1' })
  expect(sent).toHaveLength(4)
  expect(new Set(sent.map((one) => one.key)).size).toBe(1)
  expect(sent[0]?.key).toMatch(/^[0-9a-f-]{36}$/)
})

test('the answer was lost half way: as well', async () => {
  const broken = () =>
    new Response(
      new ReadableStream({ start: (stream) => stream.error(new TypeError('terminated')) }),
    )
  const { sent, make } = serving(broken, done)
  expect(await make()).toEqual({ seq: 2, id: 'g1' })
  expect(sent).toHaveLength(2)
})

test('not for ever', async () => {
  const { sent, make } = serving(fails('UND_ERR_SOCKET'))
  await expect(make()).rejects.toMatchObject({ refusal: { code: 'UNAVAILABLE' } })
  expect(sent).toHaveLength(5)
})

test('nobody there, a refusal at once, or something that only looks: sent once', async () => {
  const refused = serving(fails('ECONNREFUSED'))
  await expect(refused.make()).rejects.toMatchObject({ refusal: { code: 'UNAVAILABLE' } })
  const used = serving(inUse)
  await expect(used.make()).rejects.toMatchObject({ refusal: { code: 'IDEMPOTENCY_KEY_IN_USE' } })
  const looks = serving(fails('ECONNRESET'))
  await expect(looks.client('health')).rejects.toMatchObject({ refusal: { code: 'UNAVAILABLE' } })
  expect([refused.sent, used.sent, looks.sent].map((one) => one.length)).toEqual([1, 1, 1])
  expect(looks.sent[0]?.key).toBeNull()
})

test('each write has a key of its own', async () => {
  const { sent, make } = serving(done)
  await make()
  await make()
  expect(sent[0]?.key).not.toBe(sent[1]?.key)
})
