/** `holdfast-probe join`: done within its time, or it says why not; and joining twice is nothing. */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ProbeUnderTest } from './run-probe.ts'

const TOKEN = 'hfj_abcdefghijklmnopqrstuvwxyz012345'
const CLUSTER = { clusterId: 'c-1', clusterName: 'prod', sessionPath: '/v1/sessions/x' }
const NODE = '6ba7b810-9dad-41d1-80b4-00c04fd430c8'

const probe = new ProbeUnderTest()
beforeAll(() => probe.build())
afterAll(() => probe.end())

const servers: { close(): unknown }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

interface Asked {
  readonly bodies: Record<string, string>[]
  readonly url: string
}

/** A control plane that knows the token and the keys that have joined. */
async function controlPlane(answer?: (n: number) => number | null): Promise<Asked> {
  const bodies: Record<string, string>[] = []
  const keys = new Set<string>()
  const server = createServer(async (request, reply) => {
    if (request.url === '/healthz') return reply.end('{"ok":true,"version":"0.1.0"}')
    const body = JSON.parse(await textOf(request)) as Record<string, string>
    bodies.push(body)
    const refused = answer?.(bodies.length) ?? null
    if (refused !== null) return reply.writeHead(refused).end('not now')
    if (body['token'] !== TOKEN || (body['memberOf'] ?? 'c-1') !== 'c-1') {
      const code = body['token'] === TOKEN ? 'JOINED_ELSEWHERE' : 'TOKEN_INVALID'
      const problem = { type: 'x', title: code, status: 409, detail: code, code, request: 'r' }
      return reply.writeHead(409).end(JSON.stringify(problem))
    }
    const changed = !keys.has(body['publicKey'] ?? '')
    keys.add(body['publicKey'] ?? '')
    return reply.end(JSON.stringify({ ...CLUSTER, nodeId: NODE, changed }))
  })
  return { bodies, url: await listen(server) }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}

async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  servers.push(server)
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const joinArgs = (host: string, url: string) => [
  ...['join', '--url', url, '--name', host, '--json'],
  ...probe.folders(host),
]
const stateOf = (host: string) => join(probe.folder, host, 'state')
const errorOf = (text: string) => (JSON.parse(text) as { error: Record<string, string> }).error

test('a host joins; twice says so and changes nothing; key and identity are its own', async () => {
  const { url, bodies } = await controlPlane()
  const first = await probe.run(joinArgs('a', url), { input: `${TOKEN}\n` })
  expect(first.code, first.stderr).toBe(0)
  expect(JSON.parse(first.stdout)).toMatchObject({ joined: true, changed: true, cluster: 'prod' })
  const key = readFileSync(join(stateOf('a'), 'identity.key'), 'utf8')
  const identity = readFileSync(join(stateOf('a'), 'identity.json'), 'utf8')
  for (const file of ['identity.key', 'identity.json'])
    expect(statSync(join(stateOf('a'), file)).mode & 0o777, file).toBe(0o600)
  expect(statSync(stateOf('a')).mode & 0o777).toBe(0o700)
  const second = await probe.run(joinArgs('a', url), { env: { HOLDFAST_JOIN_TOKEN: TOKEN } })
  expect(second.code).toBe(0)
  expect(JSON.parse(second.stdout)).toMatchObject({ joined: true, changed: false })
  expect(readFileSync(join(stateOf('a'), 'identity.key'), 'utf8')).toBe(key)
  expect(readFileSync(join(stateOf('a'), 'identity.json'), 'utf8')).toBe(identity)
  expect(bodies.map((body) => body['memberOf'])).toEqual([undefined, 'c-1'])
  const words = joinArgs('a', url).filter((word) => word !== '--json')
  const third = await probe.run(words, { input: TOKEN })
  expect(third.stdout).toBe('already joined prod as a\n')
  expect(third.stderr).toMatch(/^ 1 . state folder /m)
})

test('a crash between key and identity: the next join finds the key, and is the same node', async () => {
  const { url, bodies } = await controlPlane()
  expect((await probe.run(joinArgs('b', url), { input: TOKEN })).code).toBe(0)
  rmSync(join(stateOf('b'), 'identity.json'))
  // What a join that was killed half-way leaves.
  writeFileSync(join(stateOf('b'), 'identity.json.new'), '{"nodeId":', { mode: 0o644 })
  const again = await probe.run(joinArgs('b', url), { input: TOKEN })
  expect(again.code, again.stderr).toBe(0)
  // The cluster had it, this host did not know: for the host it is a change.
  expect(JSON.parse(again.stdout)).toMatchObject({ joined: true, changed: true, nodeId: NODE })
  expect(bodies[1]?.['publicKey']).toBe(bodies[0]?.['publicKey'])
  expect(existsSync(join(stateOf('b'), 'identity.json.new'))).toBe(false)
})

test('JOINED_ELSEWHERE: a token of another cluster changes nothing here', async () => {
  const { url } = await controlPlane()
  expect((await probe.run(joinArgs('c', url), { input: TOKEN })).code).toBe(0)
  const path = join(stateOf('c'), 'identity.json')
  const mine = JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), clusterId: 'c-2' })
  writeFileSync(path, mine, { mode: 0o600 })
  const refused = await probe.run(joinArgs('c', url), { input: TOKEN })
  expect(refused.code).toBe(7)
  expect(errorOf(refused.stdout)['code']).toBe('JOINED_ELSEWHERE')
  expect(readFileSync(path, 'utf8')).toBe(mine)
})

test('BAD_REQUEST: a token on the command line is not used, and it says why', async () => {
  const { url, bodies } = await controlPlane()
  for (const words of [['--token', TOKEN], [`--token=${TOKEN}`], [TOKEN]]) {
    const refused = await probe.run([...joinArgs('d', url), ...words])
    expect(refused.code).toBe(2)
    expect(errorOf(refused.stdout)['why']).toContain('ps')
    expect(refused.stderr).toContain('--token-file')
    expect(refused.stdout + refused.stderr).not.toContain(TOKEN)
  }
  expect(bodies).toEqual([])
  expect(existsSync(stateOf('d'))).toBe(false)
})

test('what passes is tried again within the time: nobody listens yet, then 503', async () => {
  const { url, bodies } = await controlPlane((n) => (n < 3 ? 503 : null))
  const joined = await probe.run(joinArgs('e', url), { input: TOKEN })
  expect(joined.code, joined.stderr).toBe(0)
  expect(bodies).toHaveLength(3)
  const late = createServer((_, reply) => reply.end('{"ok":true,"version":"0.1.0"}'))
  const port = Number(new URL(await listen(late)).port)
  late.close()
  const waiting = probe.run([...joinArgs('e2', `http://127.0.0.1:${port}`), '--timeout', '8s'], {
    input: 'no token',
  })
  await new Promise((next) => setTimeout(next, 1_000))
  const back = createServer((_, reply) => reply.end('{"ok":true,"version":"0.1.0"}'))
  servers.push(back)
  back.listen(port, '127.0.0.1')
  // It has got as far as the token: the control plane was found.
  expect(errorOf((await waiting).stdout)['code']).toBe('TOKEN_INVALID')
})

test('TOKEN_INVALID is final: it is not tried again', async () => {
  const { url, bodies } = await controlPlane()
  const refused = await probe.run(joinArgs('f', url), { input: 'hfj_unknown' })
  expect(refused.code).toBe(6)
  expect(bodies).toHaveLength(1)
  expect(existsSync(join(stateOf('f'), 'identity.json'))).toBe(false)
})

const WITHIN = ['--timeout', '2s']
const SLACK_MS = 2_500

test('never hangs: a pipe that nobody writes to', async () => {
  const { url } = await controlPlane()
  const over = await probe.run([...joinArgs('g', url), ...WITHIN], { input: null })
  expect(over.code).toBe(6)
  expect(errorOf(over.stdout)['message']).toBe('no join token was given in time')
  expect(over.tookMs).toBeLessThan(2_000 + SLACK_MS)
})

test('never hangs: a FIFO as token file', async () => {
  const { url } = await controlPlane()
  const fifo = join(probe.folder, 'fifo')
  const { spawnSync } = await import('node:child_process')
  expect(spawnSync('mkfifo', [fifo]).status).toBe(0)
  const over = await probe.run([...joinArgs('h', url), ...WITHIN, '--token-file', fifo])
  expect(over.code).toBe(6)
  expect(over.tookMs).toBeLessThan(2_000 + SLACK_MS)
})

test('never hangs: a terminal at which nobody types; and what is typed does not show', async (ctx) => {
  const { spawnSync } = await import('node:child_process')
  ctx.skip(spawnSync('script', ['--version']).status !== 0, 'no script(1) to make a terminal')
  const { url, bodies } = await controlPlane()
  const terminal = (args: string[]) => {
    const words = [...probe.words, ...args].map((word) => `'${word}'`).join(' ')
    return { under: ['script', '-qec', words, '/dev/null', '--'], args: [] as string[] }
  }
  const args = joinArgs('i', url).filter((word) => word !== '--json')
  const silent = terminal([...args, ...WITHIN])
  const over = await run(silent.under, null)
  expect(over.text).toContain('Join token (hfj_…, not shown):')
  expect(over.text).toContain('no join token was given in time')
  expect(over.tookMs).toBeLessThan(2_000 + SLACK_MS)
  const typed = await run(terminal(args).under, `${TOKEN}\r`)
  expect(typed.text).toContain('joined prod as i')
  expect(typed.text).not.toContain(TOKEN)
  expect(bodies.at(-1)?.['token']).toBe(TOKEN)
})

/** `script` passes its input on; typed after the prompt, as people do. */
async function run(words: readonly string[], typed: string | null) {
  const { spawn } = await import('node:child_process')
  const [file = '', ...args] = words.filter((word) => word !== '--')
  const begun = performance.now()
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    if (typed !== null && /not shown/.test(text)) child.stdin.end(typed)
  })
  await new Promise((done) => child.on('close', done))
  return { text, tookMs: performance.now() - begun }
}

test('UNAVAILABLE: a server that accepts and says nothing', async () => {
  const url = await listen(createTcpServer(() => {}))
  const over = await probe.run([...joinArgs('j', url), ...WITHIN], { input: TOKEN })
  expect(over.code).toBe(1)
  expect(errorOf(over.stdout)['code']).toBe('UNAVAILABLE')
  expect(errorOf(over.stdout)['why']).toContain('said nothing')
  expect(over.tookMs).toBeLessThan(2_000 + SLACK_MS)
  expect(existsSync(stateOf('j'))).toBe(false)
})

test('UNAVAILABLE: a name server that does not answer; the process ends all the same', async (ctx) => {
  const { spawnSync } = await import('node:child_process')
  const isolated = ['unshare', '--mount', '--net', 'sh', '-c']
  const able = spawnSync('unshare', ['--mount', '--net', 'true']).status === 0
  ctx.skip(!able, 'no network namespaces to be had: a silent name server cannot be played')
  const file = join(probe.folder, 'resolv.conf')
  writeFileSync(file, 'nameserver 127.0.0.1\noptions timeout:30 attempts:5\n')
  // Port 53 of an own loopback: a socket that takes datagrams and says nothing.
  const silent = `require('node:dgram').createSocket('udp4').bind(53, '127.0.0.1')`
  const script = `ip link set lo up; mount --bind ${file} /etc/resolv.conf; ${process.execPath} -e "${silent}" & sleep 0.3; "$@"; code=$?; kill $!; exit $code`
  const over = await probe.run([...joinArgs('k', 'http://control.example'), ...WITHIN], {
    input: TOKEN,
    under: [...isolated, script, '-'],
  })
  expect(over.code, over.stderr).toBe(1)
  expect(errorOf(over.stdout)['why']).toContain('name servers')
  expect(over.tookMs).toBeLessThan(2_000 + SLACK_MS)
})

test('exit code 3: it joined, and the doctor finds problems', async () => {
  const { url } = await controlPlane()
  const folder = join(probe.folder, 'l')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'policy.json'), '{ "process": ', { mode: 0o644 })
  const joined = await probe.run(joinArgs('l', url), { input: TOKEN })
  expect(joined.code).toBe(3)
  const answer = JSON.parse(joined.stdout) as { problems: number; checks: { state: string }[] }
  expect(answer).toMatchObject({ joined: true, changed: true, problems: 1 })
  expect(answer.checks.filter((check) => check.state === 'problem')).toHaveLength(1)
})
