/** `holdfast webhook listen` and `trigger`: the real payloads of a real control plane, forwarded to a local receiver. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { parseWebhookEvent, WEBHOOK_EVENTS } from '../../schema/webhook-events.ts'
import { HookReceiver } from './hook-receiver.ts'
import { RealCluster } from './real-cluster.ts'
import { runCli } from './run-cli.ts'

let real: RealCluster
const receiver = new HookReceiver()

beforeAll(async () => {
  await receiver.start()
  real = await RealCluster.start()
}, 60_000)
afterAll(async () => {
  await real?.stop()
  receiver.close()
})
beforeEach(() => {
  receiver.heard = []
  receiver.status = 204
})

const hook = () => receiver.url
const webhook = (line: string, signal?: AbortSignal) =>
  runCli(['webhook', ...line.split(' ')], { env: real.env, ...(signal && { signal }) })

/** What goes on until `is`, and then as if by Ctrl-C. */
async function until(line: string, is: () => boolean) {
  const user = new AbortController()
  const done = webhook(line, user.signal)
  await expect.poll(is, { timeout: 15_000 }).toBe(true)
  user.abort()
  return done
}

const pause = (isPaused: boolean) =>
  isPaused
    ? real.api('pauseNode', { params: { ...real.params, node: 'n1' } })
    : real.api('resumeNode', { params: { ...real.params, node: 'n1' }, body: {} })

test('what has happened is forwarded in order, signed with the secret that it shows, and told in a line each', async () => {
  const { code, stdout, stderr } = await until(
    `listen --forward-to ${hook()} --after 0`,
    () => receiver.heard.length >= 4,
  )
  expect(code).toBe(EXIT.interrupted)
  const [secret = ''] = /whsec_\S+/.exec(stderr.replace(/,/g, ' ')) ?? []
  const events = receiver.heard.map(({ body, headers }) =>
    parseWebhookEvent(new Webhook(secret).verify(body, headers)),
  )
  expect(events.map((one) => one.sequence)).toEqual(events.map((_, n) => n + 1))
  expect(events.map((one) => one.type)).toContain('node.joined')
  expect(stdout).toMatch(/^\S+Z {2}1 {2}node\.joined {2}answered 204 \(\d+ ms\)$/m)
})

test('what comes is forwarded as it comes; behind a number it goes on where it was, with nothing lost or twice', async () => {
  const { next } = await real.api('listWebhookEvents', { params: real.params, query: {} })
  const types = () => receiver.heard.map(({ body }) => JSON.parse(body).type)
  // Once it is written: the receiver has heard of it a moment before.
  const listen = ['webhook', 'listen', '--forward-to', hook(), '--json']
  const first = runCli(listen, { env: real.env, interruptAt: /"status":204/ })
  await new Promise((soon) => setTimeout(soon, 1_000))
  await pause(true)
  const { stdout } = await first
  expect(types()).toEqual(['node.paused'])
  const [begun, line] = stdout
    .trim()
    .split('\n')
    .map((one) => JSON.parse(one))
  expect(begun).toEqual({ forwardingTo: hook(), after: next, secret: expect.any(String) })
  expect(line).toMatchObject({ sequence: next + 1, type: 'node.paused', status: 204 })
  await pause(false)
  await pause(true)
  await pause(false)
  await until(
    `listen --forward-to ${hook()} --after ${line.sequence}`,
    () => receiver.heard.length >= 4,
  )
  expect(types()).toEqual(['node.paused', 'node.resumed', 'node.paused', 'node.resumed'])
  const sequences = receiver.heard.map(({ body }) => JSON.parse(body).sequence)
  expect(sequences).toEqual([1, 2, 3, 4].map((n) => next + n))
})

test('a receiver that fails, or is not there, is told of and stops nothing', async () => {
  receiver.status = 500
  const failed = await until(
    `listen --forward-to ${hook()} --after 0`,
    () => receiver.heard.length >= 4,
  )
  expect(failed.stdout).toContain('answered 500')
  const gone = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => gone.once('listening', done))
  const { port } = gone.address() as AddressInfo
  await new Promise((done) => gone.close(done))
  const nowhere = await webhook(`trigger node.up --forward-to http://127.0.0.1:${port}/`)
  expect(nowhere).toMatchObject({ code: EXIT.problems })
  expect(nowhere.stdout).toContain('not reached: ECONNREFUSED')
})

test('trigger: every type of the catalogue, to a webhook or from here', async () => {
  await webhook(`create target --target ${hook()}`)
  for (const type of Object.keys(WEBHOOK_EVENTS)) {
    receiver.heard = []
    expect((await webhook(`trigger ${type} target`)).code).toBe(EXIT.done)
    expect((await webhook(`trigger ${type} --forward-to ${hook()}`)).code).toBe(EXIT.done)
    expect(receiver.heard).toHaveLength(2)
    for (const { body } of receiver.heard)
      expect(parseWebhookEvent(JSON.parse(body))).toMatchObject({ type, sequence: 0 })
  }
  const near = await webhook('trigger node.dwon target')
  expect(near.code).toBe(EXIT.usage)
  expect(near.stderr).toContain('Did you mean node.down?')
  expect((await webhook(`trigger node.up target --forward-to ${hook()}`)).code).toBe(EXIT.usage)
})
