import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { Link } from '../../../probe/agent/link.ts'
import { PROFILES } from '../../../schema/timing.ts'

let server: WebSocketServer
let accepted: Promise<WebSocket>
beforeEach(async () => {
  // Only our own timers: sockets go on in real time.
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'] })
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  accepted = new Promise((resolve) => server.on('connection', resolve))
  await new Promise((resolve) => server.once('listening', resolve))
})
afterEach(() => {
  vi.useRealTimers()
  for (const client of server.clients) client.terminate()
  server.close()
})

function open() {
  const closed: string[] = []
  const { port } = server.address() as { port: number }
  const link = new Link(
    `ws://127.0.0.1:${port}`,
    {},
    {
      reachedFrom: () => {},
      ticked: () => {},
      frame: () => {},
      closed: (why) => closed.push(why),
      renewed: () => {},
      sampled: () => {},
    },
  )
  return { link, closed }
}

test('a socket that is open and silent before the welcome is given up', async () => {
  const { closed } = open()
  await accepted
  await vi.advanceTimersByTimeAsync(14_000)
  expect(closed).toEqual([])
  await vi.advanceTimersByTimeAsync(2_000)
  expect(closed).toEqual(['no welcome in time'])
})

test('a welcomed socket whose pings nobody answers is given up, also by a node without groups', async () => {
  const { link, closed } = open()
  await accepted
  vi.useRealTimers()
  link.startLeases(PROFILES.fast, 0)
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(closed).toEqual([])
  await new Promise((resolve) => setTimeout(resolve, 1_200))
  expect(closed).toEqual(['a ping was not answered in time'])
})
