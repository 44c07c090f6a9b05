/** Resource types `http-endpoint` and `tcp-endpoint`, against real sockets. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { createHttpEndpoint } from '../../probe/resources/http-endpoint.ts'
import { createTcpEndpoint } from '../../probe/resources/tcp-endpoint.ts'
import type { Call, ResourceModule } from '../../schema/resource-type.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listening(server: Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const http = (answer: (request: IncomingMessage, response: ServerResponse) => void) =>
  listening(createServer(answer) as Server)

interface Told {
  notes: string[]
  logged: string[]
}

function callOf<P>(
  module: ResourceModule<P>,
  properties: object,
  persistentState: 0 | 1 = 1,
): Call<P> & Told {
  const told: Told = { notes: [], logged: [] }
  return {
    ...told,
    guid: '00000000-0000-4000-8000-00000000000a',
    name: 'page',
    groupId: '00000000-0000-4000-8000-0000000000f1',
    epoch: 1,
    persistentState,
    dependent: false,
    carry: null,
    resume: null,
    hiveSeq: 1,
    nodeName: 'n1',
    properties: module.properties.parse(properties),
    signal: AbortSignal.timeout(10_000),
    progress: (note) => void told.notes.push(note),
    log: (message) => void told.logged.push(message),
    workload: {} as Call['workload'],
  }
}

const quick = async <P>(m: ResourceModule<P>, call: Call<P>) => (await m.isAlive([call]))[0]
const thorough = async <P>(m: ResourceModule<P>, call: Call<P>) => (await m.looksAlive([call]))[0]

describe('http-endpoint', () => {
  const module = () => createHttpEndpoint(undefined)

  test('IsAlive by the status, LooksAlive by the body too; the body is never repeated', async () => {
    let body = 'all is well'
    let status = 200
    const port = await http((_, response) => response.writeHead(status).end(body))
    const m = module()
    const call = callOf(m, { url: `http://127.0.0.1:${port}/`, bodyContains: 'well' })
    expect(await quick(m, call)).toMatchObject({ status: 'online' })
    expect(await thorough(m, call)).toEqual({ guid: call.guid, status: 'online' })
    body = 'secret'
    expect(await quick(m, call)).toMatchObject({ status: 'online' })
    const found = await thorough(m, call)
    expect(found).toMatchObject({ status: 'failed' })
    expect(JSON.stringify(found)).not.toContain('secret')
    status = 503
    expect(await quick(m, call)).toMatchObject({
      status: 'failed',
      detail: 'status 503 instead of 200',
    })
  })

  test('headers are sent and never said; redirects are not followed', async () => {
    let seen: string | undefined
    const port = await http((request, response) => {
      seen = request.headers.authorization
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    const m = module()
    const headers = { authorization: 'Bearer topsecret' }
    const call = callOf(m, { url: `http://127.0.0.1:${port}/`, headers })
    const found = await quick(m, call)
    expect(seen).toBe('Bearer topsecret')
    expect(found).toMatchObject({ status: 'failed', detail: 'status 302 instead of 200' })
    expect(JSON.stringify([found, call.logged, call.notes])).not.toContain('topsecret')
    expect(() => callOf(m, { url: 'http://127.0.0.1/', headers: { a: 'x\r\nb: y' } })).toThrow()
    expect(() => callOf(m, { url: 'http://me:pass@127.0.0.1/' })).toThrow(/header/)
  })

  test('slow is online and degraded; no answer in its time has failed', async () => {
    let delayMs = 80
    const port = await http((_, response) => setTimeout(() => response.end('x'), delayMs))
    const m = module()
    const call = callOf(m, { url: `http://127.0.0.1:${port}/`, timeoutMs: 300, maxLatencyMs: 20 })
    expect(await quick(m, call)).toEqual({ guid: call.guid, status: 'online' })
    expect(await thorough(m, call)).toMatchObject({
      status: 'online',
      detail: expect.stringMatching(/^the answer took \d+ ms, more than 20 ms$/),
      degraded: true,
    })
    delayMs = 5_000
    expect(await quick(m, call)).toMatchObject({
      ...{ status: 'failed', detail: 'no answer within 300 ms' },
    })
  })

  test('S-39, S-80: Online waits until it answers; progress is said only when something is new', async () => {
    let status = 503
    const port = await http((_, response) => response.writeHead(status).end())
    const m = module()
    const call = callOf(m, { url: `http://127.0.0.1:${port}/`, retryEveryMs: 50 })
    const online = m.online?.(call)
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect(call.logged).toEqual(['waits: status 503 instead of 200'])
    expect(call.notes).toEqual([])
    status = 200
    await online
  })

  test('wanted offline, or taken offline: not looked at, whatever answers there', async () => {
    let asked = 0
    const port = await http((_, response) => {
      asked += 1
      response.end()
    })
    const m = module()
    const url = `http://127.0.0.1:${port}/`
    expect(await quick(m, callOf(m, { url }, 0))).toMatchObject({ status: 'offline' })
    const call = callOf(m, { url })
    await m.offline?.(call)
    expect(await quick(m, call)).toMatchObject({ status: 'offline' })
    expect(asked).toBe(0)
    await m.online?.(call)
    expect(await quick(m, call)).toMatchObject({ status: 'online' })
  })

  test('host policy: this host without a word, every other only by name', async () => {
    const denied = async (url: string, hosts?: string[]) => {
      const m = createHttpEndpoint(hosts && { hosts })
      const call = callOf(m, { url, timeoutMs: 50 })
      return (await quick(m, call))?.detail?.startsWith('hostPolicy:') ?? false
    }
    const own = [
      'http://127.0.0.1:9/',
      'http://localhost:9/',
      'http://[::1]:9/',
      'http://0x7f.1:9/',
    ]
    for (const url of own) expect(await denied(url), url).toBe(false)
    const other = ['http://10.255.255.1/', 'http://127.evil.test/', 'http://0.0.0.0:9/']
    for (const url of other) expect(await denied(url), url).toBe(true)
    expect(await denied('http://10.255.255.1/', ['10.255.255.1'])).toBe(false)
    const m = createHttpEndpoint(undefined)
    await expect(m.online?.(callOf(m, { url: 'http://10.255.255.1/' }))).rejects.toThrow(
      /hostPolicy/,
    )
  })
})

describe('tcp-endpoint', () => {
  test('IsAlive by the connect, LooksAlive by what comes back', async () => {
    const port = await listening(
      createTcpServer((socket) => {
        socket.on('error', () => {})
        socket.on('data', (data) =>
          socket.end(data.toString() === 'PING\r\n' ? '+PONG\r\n' : '-ERR'),
        )
      }),
    )
    const m = createTcpEndpoint(undefined)
    const call = callOf(m, { port, send: 'PING\r\n', bodyContains: 'PONG' })
    expect(await quick(m, call)).toMatchObject({ status: 'online' })
    expect(await thorough(m, call)).toMatchObject({ status: 'online' })
    const other = callOf(m, { port, send: 'HELLO', bodyContains: 'PONG' })
    expect(await thorough(m, other)).toMatchObject({
      ...{ status: 'failed', detail: 'the answer lacks the expected text' },
    })
  })

  test('nobody listens, or nobody answers', async () => {
    const port = await listening(createTcpServer())
    const m = createTcpEndpoint(undefined)
    const silent = callOf(m, { port, bodyContains: 'x', timeoutMs: 100 })
    expect(await thorough(m, silent)).toMatchObject({ detail: 'no answer within 100 ms' })
    for (const server of servers.splice(0)) server.close()
    expect(await quick(m, callOf(m, { port }))).toMatchObject({
      ...{ status: 'failed', detail: expect.stringContaining('ECONNREFUSED') },
    })
  })
})

test.each(['tcp', 'http'])(
  'S-32: %s: a call that was given up before it began looks at nothing',
  async (kind) => {
    const port = await http((_, response) => response.end('ok'))
    const end = AbortSignal.abort(new Error('given up'))
    const tcp = createTcpEndpoint(undefined)
    const web = createHttpEndpoint(undefined)
    const found =
      kind === 'tcp'
        ? await tcp.isAlive([{ ...callOf(tcp, { port }), signal: end }])
        : await web.isAlive([{ ...callOf(web, { url: `http://127.0.0.1:${port}/` }), signal: end }])
    expect(found).toMatchObject([{ status: 'unknown' }])
  },
)
