/**
 * `npm run bench:webhooks`: from a commit to the receiver, and ten thousand events to a receiver that fails now
 * and then, through restarts of the control plane. A real workerd and a real receiver on loopback.
 *
 *   npm run bench:webhooks -- [--events 10000] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startControlPlane } from '../demo/control-plane.ts'
import { killPid } from '../demo/host.ts'
import { createClient } from '../schema/api/client.ts'
import { Receiver } from '../test/webhooks/receiver.ts'

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '10000' },
    json: { type: 'boolean', default: false },
  },
})
const events = Number(values.events)
const BUDGET_MS = 50
const CALM = 200
/** At the same time: as many operators. */
const OPERATORS = 8

const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
const options = { folder, port: 0, webhookRetryFactor: 0.001, extensions: false }
const control = await startControlPlane(options)
const api = createClient({ url: control.url, key: control.key })
const receiver = await Receiver.start()
const params = { cluster: 'bench' }
try {
  await api('createCluster', { body: { name: 'bench', profile: 'standard' } })
  const nodes = Array.from({ length: OPERATORS }, (_, n) => `n${n + 1}`)
  for (const name of nodes) {
    const { token } = await api('createToken', { params, body: {} })
    await api('join', {
      body: { token, name, publicKey: 'A'.repeat(42) + 'ABCDEFGH'[nodes.indexOf(name)] },
    })
  }
  const body = { name: 'bench', url: receiver.url, types: ['node.paused', 'node.resumed'] as const }
  receiver.secret = (await api('createWebhook', { body: { ...body, types: [...body.types] } }))
    .secret as string

  // One at a time, as it is on most days.
  for (let n = 0; n < CALM; n += 1) {
    await toggle('n1', n)
    await receiver.until(() => receiver.calls.length > n)
  }
  const calm = receiver.calls
    .map((c) => c.atMs - Date.parse(c.event.timestamp))
    .sort((a, b) => a - b)
  const [p50, p99] = [0.5, 0.99].map((q) => calm[Math.floor(calm.length * q)] ?? 0)

  receiver.calls.length = 0
  receiver.answer = () => (Math.random() < 0.3 ? 503 : 204)
  const begunMs = performance.now()
  const restarts = [events / 3, (2 * events) / 3].map(Math.floor)
  let made = 0
  await Promise.all(
    nodes.map(async (node) => {
      for (let n = 0; made < events; n += 1) {
        made += 1
        if (restarts.includes(made)) killPid(control.workerdPid() as number)
        await toggle(node, n)
      }
    }),
  )
  process.stderr.write(
    `made in ${Math.round((performance.now() - begunMs) / 1000)} s, ${receiver.calls.length} calls\n`,
  )
  const deliveredAll = await receiver
    .until(() => receiver.accepted.length >= events, 600_000)
    .then(() => true)
    .catch(() => false)
  const first = receiver.firstAttempts
  const inOrder = first.every((n, i) => i === 0 || n > (first[i - 1] ?? 0))
  const sequences = new Set(receiver.accepted.map((event) => event.sequence))
  const missing = Math.max(...sequences) - Math.min(...sequences) + 1 - sequences.size
  const result = {
    ...{
      bench: 'webhooks',
      events: sequences.size,
      calls: receiver.calls.length,
      deliveredAll,
      missing,
      inOrder,
    },
    ...{ restarts: 2, seconds: Math.round((performance.now() - begunMs) / 1000) },
    ...{ commitToReceiverP50Ms: p50, commitToReceiverP99Ms: p99, budgetMs: BUDGET_MS },
    budgetsMet:
      (p50 ?? Number.POSITIVE_INFINITY) < BUDGET_MS && deliveredAll && inOrder && missing === 0,
  }
  if (!values.json)
    for (const [name, value] of Object.entries(result))
      process.stdout.write(`${name.padEnd(22)} ${value}\n`)
  process.stdout.write(`${JSON.stringify(result)}\n`)
} finally {
  await receiver.close()
  await control.stop()
  rmSync(folder, { recursive: true, force: true })
}
process.exit()

/** Until it is answered: what was not may have been done, and the next look says which. */
async function toggle(node: string, n: number): Promise<void> {
  for (;;) {
    try {
      if (n % 2 === 0) await api('pauseNode', { params: { ...params, node } })
      else await api('resumeNode', { params: { ...params, node }, body: {} })
      return
    } catch {
      await new Promise((done) => setTimeout(done, 100))
    }
  }
}
