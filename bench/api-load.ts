/**
 * One load on an HTTP server, in a process of its own: so many requests a second whatever comes of them, or as
 * fast as they are answered. Told by its parent what to ask; its latencies go back.
 */
import { fork } from 'node:child_process'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'

/** In a body: another number with each request. */
export const NUMBER = '$number'

export interface Ask {
  readonly kind: string
  readonly method: string
  readonly path: string
  readonly key: string | null
  readonly body?: object
}

export interface Load {
  readonly url: string
  /** One after the other, again and again. */
  readonly asks: readonly Ask[]
  /** Requests a second; null: as fast as they are answered, so many at a time. */
  readonly perSecond: number | null
  readonly atATime: number
  readonly ms: number
}

export interface Loaded {
  /** By kind of request: what each took, in milliseconds from when it was due. */
  readonly tookMs: Record<string, number[]>
  /** By status; 0: no answer. */
  readonly statuses: Record<string, number>
}

const ME = fileURLToPath(import.meta.url)

export function load(of: Load): Promise<Loaded> {
  return new Promise((resolve, reject) => {
    const child = fork(ME, ['--load'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    child.once('message', (message) => {
      resolve(message as Loaded)
      child.kill()
    })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`a load ended with ${code}`)))
    child.send(of)
  })
}

async function run({ url, asks, perSecond, atATime, ms }: Load): Promise<Loaded> {
  const agent = new Agent({ keepAlive: true, maxSockets: atATime })
  const tookMs: Record<string, number[]> = {}
  const statuses: Record<string, number> = {}
  let sent = 0
  const send = (ask: Ask, dueMs: number) =>
    new Promise<void>((done) => {
      sent += 1
      const body = ask.body && JSON.stringify(ask.body).replace(`"${NUMBER}"`, String(sent))
      const headers = {
        ...(ask.key && { authorization: `Bearer ${ask.key}` }),
        ...(body && { 'content-type': 'application/json', 'content-length': String(body.length) }),
      }
      const ended = (status: number) => {
        statuses[status] = (statuses[status] ?? 0) + 1
        const times = tookMs[ask.kind] ?? []
        tookMs[ask.kind] = times
        times.push(performance.now() - dueMs)
        done()
      }
      const call = request(
        new URL(ask.path, url),
        { method: ask.method, agent, headers },
        (answer) => {
          answer.resume()
          answer.on('end', () => ended(answer.statusCode ?? 0))
        },
      )
      call.on('error', () => ended(0))
      call.end(body)
    })
  const begunMs = performance.now()
  const asked = (n: number) => asks[n % asks.length] as Ask
  if (perSecond === null) {
    let n = 0
    const goOn = async () => {
      while (performance.now() - begunMs < ms) {
        n += 1
        await send(asked(n), performance.now())
      }
    }
    await Promise.all(Array.from({ length: atATime }, goOn))
    return { tookMs, statuses }
  }
  const under: Promise<void>[] = []
  for (let n = 0; n < (perSecond * ms) / 1_000; n++) {
    // Counted from when it was due: a server that stands still is not spared the requests of that time.
    const dueMs = begunMs + (n * 1_000) / perSecond
    const inMs = dueMs - performance.now()
    if (inMs > 0) await new Promise((done) => setTimeout(done, inMs))
    under.push(send(asked(n), Math.max(dueMs, performance.now() - LATE_TIMER_MS)))
  }
  await Promise.all(under)
  return { tookMs, statuses }
}

/** A timer of this process may ring so late: that is not the server's. */
const LATE_TIMER_MS = 1

if (process.argv.includes('--load'))
  process.once('message', (message) => {
    void run(message as Load).then((loaded) => process.send?.(loaded))
  })
