/** The receiver of docs/webhooks.md is run as it stands there, against what a control plane sends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { parseWebhookEvent } from '../../schema/webhook-events.ts'
import { WEBHOOK_EXAMPLES } from '../../schema/webhook-examples.ts'
import { newWebhookSecret, signedHeaders } from '../../worker/webhooks/signing.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(ROOT, 'docs/webhooks.md'), 'utf8')
const [OLD, SECRET] = [newWebhookSecret(), newWebhookSecret()]

const folder = mkdtempSync(join(tmpdir(), 'holdfast-receiver-'))
let receiver: ChildProcess
let said = ''
let url = ''

beforeAll(async () => {
  const [, code = ''] = /^```js\n(\/\/ receiver\.mjs\n[^`]+)```$/m.exec(page) ?? []
  expect(code).toContain('standardwebhooks')
  writeFileSync(join(folder, 'receiver.mjs'), code)
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const env = { PATH: process.env['PATH'], WEBHOOK_SECRET: SECRET, PORT: '0' }
  receiver = spawn(process.execPath, ['receiver.mjs'], { cwd: folder, env })
  receiver.stdout?.on('data', (part) => {
    said += part
  })
  await vi.waitFor(() => expect(said).toMatch(/listening on \d+\n/), { timeout: 20_000 })
  url = `http://127.0.0.1:${/listening on (\d+)/.exec(said)?.[1]}/`
}, 30_000)
afterAll(() => {
  receiver?.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

const EXAMPLE = WEBHOOK_EXAMPLES['group.failover.completed']
const body = JSON.stringify(EXAMPLE)

async function post(headers: Record<string, string>, text = body): Promise<number> {
  const answer = await fetch(url, { method: 'POST', headers, body: text })
  return answer.status
}

test('it takes what is signed with its secret, alone or beside another, and tells it once', async () => {
  expect(await post(signedHeaders([SECRET], 'msg_1', body, Date.now()))).toBe(204)
  expect(await post(signedHeaders([SECRET, OLD], 'msg_1', body, Date.now()))).toBe(204)
  expect(await post(signedHeaders([OLD, SECRET], 'msg_2', body, Date.now()))).toBe(204)
  const line = `${EXAMPLE.sequence} group.failover.completed prod\n`
  await expect.poll(() => said.split('\n').slice(1).join('\n')).toBe(line + line)
})

test('it refuses another secret, another body, another id, an old time and no signature', async () => {
  const good = signedHeaders([SECRET], 'msg_3', body, Date.now())
  expect(await post(signedHeaders([OLD], 'msg_3', body, Date.now()))).toBe(401)
  expect(await post(good, body.replace('"n2"', '"n3"'))).toBe(401)
  expect(await post({ ...good, 'webhook-id': 'msg_4' })).toBe(401)
  expect(await post(signedHeaders([SECRET], 'msg_3', body, Date.now() - 6 * 60_000))).toBe(401)
  expect(await post({ 'content-type': 'application/json' })).toBe(401)
  expect(await post(good)).toBe(204)
})

test('the body that the page shows is that of an event', () => {
  const [, json = ''] = /^```json\n([^`]+)```$/m.exec(page) ?? []
  expect(parseWebhookEvent(JSON.parse(json))).toEqual(WEBHOOK_EXAMPLES['node.up'])
})
