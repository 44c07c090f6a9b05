/** An operator's event stream in tests: every frame has to fit the strict schema. */
import { type StreamFrame, streamFrame } from '../../schema/api/stream.ts'
import { fetchApi, pause, type TestCluster } from './api.ts'

type FrameOf<T extends StreamFrame['t']> = Extract<StreamFrame, { t: T }>

export class Watcher {
  readonly ws: WebSocket
  readonly frames: StreamFrame[] = []
  /** Numbers of all updates that came, in order. */
  readonly seqs: number[] = []
  pongs = 0
  closed: { code: number; reason: string } | null = null

  private constructor(ws: WebSocket) {
    this.ws = ws
    ws.addEventListener('message', ({ data }) => {
      if (data === 'pong') {
        this.pongs += 1
        return
      }
      const frame = streamFrame.parse(JSON.parse(String(data)))
      this.frames.push(frame)
      if (frame.t === 'events') this.seqs.push(...frame.events.map((event) => event.seq))
    })
    ws.addEventListener('close', ({ code, reason }) => {
      this.closed = { code, reason }
    })
    ws.accept()
  }

  static request(cluster: TestCluster, after?: number, headers: Record<string, string> = {}) {
    const query = after === undefined ? '' : `?after=${after}`
    return fetchApi(`/v1/clusters/${cluster.name}/events/stream${query}`, {
      headers: { upgrade: 'websocket', ...headers },
    })
  }

  static async open(cluster: TestCluster, after?: number): Promise<Watcher> {
    const response = await Watcher.request(cluster, after)
    if (!response.webSocket) throw new Error(`refused: ${await response.text()}`)
    const watcher = new Watcher(response.webSocket)
    await watcher.next('hello')
    return watcher
  }

  /** Takes the first frame of this kind that was not taken yet. */
  async next<T extends StreamFrame['t']>(t: T, ms = 25_000): Promise<FrameOf<T>> {
    for (const endMs = performance.now() + ms; ; await pause(2)) {
      const at = this.frames.findIndex((frame) => frame.t === t)
      if (at >= 0) return this.frames.splice(at, 1)[0] as FrameOf<T>
      if (performance.now() > endMs)
        throw new Error(`no ${t}; closed ${JSON.stringify(this.closed)}`)
    }
  }

  /** Waits until it has seen this update. */
  async until(seq: number, ms = 25_000): Promise<void> {
    for (const endMs = performance.now() + ms; (this.seqs.at(-1) ?? 0) < seq; await pause(2))
      if (performance.now() > endMs) throw new Error(`no update ${seq}: ${this.seqs}`)
  }

  async end(ms = 25_000): Promise<{ code: number; reason: string }> {
    for (const endMs = performance.now() + ms; ; await pause(2)) {
      if (this.closed) return this.closed
      if (performance.now() > endMs) throw new Error('the stream stays open')
    }
  }
}

export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)
