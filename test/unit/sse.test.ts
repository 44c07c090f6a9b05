/** Server-sent events: as the standard writes them, and no more held for a slow reader than is allowed. */
import { expect, it } from 'vitest'
import { LIMITS } from '../../schema/limits.ts'
import { Sse, wantsEvents } from '../../worker/sse.ts'

it('writes each event in its lines', async () => {
  const sse = new Sse('r1', () => {})
  sse.send({ id: 7, event: 'gap', data: { text: 'a\nb' } })
  sse.send({ data: 1 })
  sse.heartbeat()
  sse.end()
  sse.send({ data: 'after the end' })
  expect(await sse.response.text()).toBe(
    'retry: 1000\n\nid: 7\nevent: gap\ndata: {"text":"a\\nb"}\n\ndata: 1\n\n: \n\n',
  )
})

it('cuts off who does not read, once so much has piled up', async () => {
  let ended = 0
  const sse = new Sse('r1', () => {
    ended += 1
  })
  let sent = 0
  for (; sse.open && sent < 1_000; sent++) sse.send({ data: 'x'.repeat(1_000) })
  expect(sent * 1_000).toBeLessThan(LIMITS.sseBufferMax + 2_000)
  expect(ended).toBe(1)
  await expect(sse.response.text()).rejects.toThrow('too slow')
})

it('ends when the reader has gone', async () => {
  let ended = 0
  const sse = new Sse('r1', () => {
    ended += 1
  })
  await sse.response.body?.cancel()
  sse.end()
  expect([ended, sse.open]).toEqual([1, false])
})

it('is asked for by the header Accept', () => {
  expect(wantsEvents('text/event-stream')).toBe(true)
  expect(wantsEvents('text/html, text/event-stream;q=0.9')).toBe(true)
  expect(wantsEvents('application/json')).toBe(false)
  expect(wantsEvents(undefined)).toBe(false)
})
