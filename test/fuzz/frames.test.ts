/**
 * Frames that nobody should send, at the production Durable Object and the production agent's link:
 * no crash, nothing changed, memory bounded. HOLDFAST_FUZZ sets the number of frames of each.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeFrame, objectFrame } from '../../schema/session.ts'
import { type Code, loadCode } from '../../sim/world/code.ts'
import type { DialEvents } from '../../sim/world/host-world.ts'
import { formCluster, makeScene } from '../../sim/world/make-scene.ts'
import { begin } from '../../sim/world/quiet.ts'
import type { Scene } from '../../sim/world/scene.ts'
import type { ObjectSocket } from '../../sim/world/sockets.ts'
import { drawPlan, formedMs } from '../sim/plan.ts'
import { frameText } from './arbitrary.ts'

const FRAMES = Number(process.env['HOLDFAST_FUZZ'] ?? 500_000)
const BATCH = 1_000
/** After a million frames the heap may have grown by no more than this. */
const HEAP_MAX_BYTES = 40 * 2 ** 20

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const heap = () => {
  collect()
  return process.memoryUsage().heapUsed
}

let code: Code
let end: () => void
beforeAll(async () => {
  code = await loadCode()
  end = begin()
})
afterAll(() => end())

async function calmScene(): Promise<Scene> {
  const plan = { ...drawPlan(1, { nodes: 2, profile: 'test' }), strikes: [], asks: [] }
  const { scene, calm } = makeScene(plan, code)
  calm()
  formCluster(scene)
  await scene.kernel.runUntil(2 * formedMs('test'))
  return scene
}

/** Rows of every table but those that only count: what must be as it was. */
function storedIn({ platform }: Scene): string {
  const tables = ['updates', 'journal', 'observed', 'plans', 'snapshots', 'sessions', 'log']
  const rows = tables.map((name) => platform.disk.db.prepare(`select * from ${name}`).all())
  return JSON.stringify(rows)
}

/** A socket that the runtime would hand over, with what became of it. */
function socketWith(attachment: object) {
  const closed: number[] = []
  const sent: string[] = []
  const ws = {
    readyState: 1,
    tags: ['node'],
    deserializeAttachment: () => attachment,
    serializeAttachment: () => {},
    send: (text: string) => void sent.push(text),
    close: (closeCode: number) => void closed.push(closeCode),
  }
  return { ws: ws as unknown as ObjectSocket, closed, sent }
}

/** @returns by how much the heap has grown since the first batch, in which everything was used once */
async function batches(run: (texts: string[]) => Promise<void>, of: fc.Arbitrary<string>) {
  let first: number | null = null
  await fc.assert(
    fc.asyncProperty(
      fc.array(of, { minLength: BATCH / 2, maxLength: BATCH / 2 }),
      async (texts) => {
        await run(texts.flatMap((text, n) => [text, misspelt(text, n)]))
        first ??= heap()
      },
    ),
    // A batch that fails names its seed; a thousand frames are not made smaller one by one.
    { numRuns: Math.ceil(FRAMES / BATCH), endOnFailure: true, seed: 4 },
  )
  return heap() - (first ?? 0)
}

const INSTEAD = ['0', '9', '"', '{', '}', '[', ']', ',', ':', '\\', '-', 'e', '\u0000', '']

/** One character of it is another one, is not there, or is there twice: made far faster than a frame. */
function misspelt(text: string, n: number): string {
  const at = (n * 7_919) % Math.max(text.length, 1)
  const char = n % 5 === 0 ? (text[at] ?? '').repeat(2) : INSTEAD[n % INSTEAD.length]
  return `${text.slice(0, at)}${char}${text.slice(at + 1)}`
}

test(`${FRAMES} frames at the object, before and after the welcome`, async () => {
  const scene = await calmScene()
  const [host] = scene.hosts
  const from = { nodeId: host?.nodeId, nonce: 'n', run: '', sentSeq: 0 }
  const before = storedIn(scene)
  const counts = { refused: 0, ignored: 0 }
  const grown = await batches(async (texts) => {
    for (const text of texts) {
      const valid = nodeFrame.safeParse(parsed(text)).success
      // Whoever has not been welcomed is not heard, however well it speaks.
      const phase = valid || counts.refused % 2 === 0 ? 'challenged' : 'welcomed'
      const { ws, closed } = socketWith({ ...from, session: 99, welcomedMs: 0, phase })
      await scene.platform.call((object) => object.webSocketMessage(ws, text))
      if (closed.length > 0) counts.refused += 1
      else counts.ignored += 1
      if (!valid) expect(closed, text).toHaveLength(1)
    }
    expect(scene.kernel.faults).toEqual([])
    expect(storedIn(scene) === before).toBe(true)
  }, frameText(nodeFrame))
  expect(counts.refused).toBeGreaterThan(FRAMES / 4)
  expect(counts.ignored).toBeGreaterThan(FRAMES / 50)
  expect(grown).toBeLessThan(HEAP_MAX_BYTES)
}, 600_000)

test(`${FRAMES} frames at the agent's link`, async () => {
  const scene = await calmScene()
  const host = scene.hosts[0]
  const actor = host?.agent?.actor
  if (!actor) throw new Error('there is no agent')
  let socket: DialEvents | null = null
  host.world.dial = (_url, _headers, events) => {
    socket = events
    return { send: () => {}, end: () => {} }
  }
  const counts = { taken: 0, refused: 0 }
  const grown = await batches(async (texts) => {
    for (const text of texts) {
      const closed: string[] = []
      const heard: string[] = []
      const link = actor.run(
        () =>
          new code.Link(
            'https://control.test/v1/sessions/x',
            {},
            {
              frame: (frame) => void heard.push(frame.t),
              closed: (why) => void closed.push(why),
              renewed: () => {},
              sampled: () => {},
              reachedFrom: () => {},
              ticked: () => {},
            },
          ),
      )
      actor.run(() => {
        socket?.opened()
        socket?.message(text)
      })
      const valid = objectFrame.safeParse(parsed(text)).success
      if (text !== 'pong' && !valid) expect({ closed, heard }, text).toMatchObject({ heard: [] })
      if (closed.length > 0) counts.refused += 1
      else counts.taken += 1
      if (text !== 'pong') expect(closed.length, text).toBe(valid ? 0 : 1)
      actor.run(() => link.close('the end'))
    }
    // Timers of closed links are let go of as time passes.
    await scene.kernel.runUntil(scene.kernel.nowMs + 20_000)
  }, frameText(objectFrame))
  expect(counts.refused).toBeGreaterThan(FRAMES / 4)
  expect(counts.taken).toBeGreaterThan(FRAMES / 50)
  expect(grown).toBeLessThan(HEAP_MAX_BYTES)
}, 600_000)

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
