/** A host that has nothing to run: it keeps its session and its leases as the agent does, and nothing else. */
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { WebSocket } from 'ws'
import type { Client } from '../schema/api/client.ts'
import {
  connectText,
  type NodeFrame,
  type ObjectFrame,
  objectFrame,
  PROTOCOL,
  sessionText,
} from '../schema/session.ts'
import type { Timing } from '../schema/timing.ts'

export class IdleNode {
  readonly #ids: { clusterId: string; nodeId: string }
  readonly #key: KeyObject
  readonly #ws: WebSocket
  readonly #timing: Timing
  readonly #timers: ReturnType<typeof setTimeout>[] = []
  #confirms = 0
  /** Pings that were answered. */
  pongs = 0
  /** Once the control plane has taken it up. */
  readonly welcomed: Promise<void>

  private constructor(
    ids: { clusterId: string; nodeId: string },
    key: KeyObject,
    ws: WebSocket,
    timing: Timing,
  ) {
    this.#ids = ids
    this.#key = key
    this.#ws = ws
    this.#timing = timing
    this.welcomed = new Promise((done, failed) => {
      ws.on('message', (data) => {
        const text = String(data)
        if (text === 'pong') {
          this.pongs += 1
          return
        }
        const frame = objectFrame.parse(JSON.parse(text))
        if (frame.t === 'challenge') this.#report(frame)
        if (frame.t !== 'welcome') return
        this.#lease()
        done()
      })
      ws.once('close', () => failed(new Error('the session was closed')))
    })
  }

  static async join(
    api: Client,
    url: string,
    cluster: string,
    name: string,
    timing: Timing,
  ): Promise<IdleNode> {
    const { publicKey, privateKey: key } = generateKeyPairSync('ed25519')
    const { token } = await api('createToken', { params: { cluster }, body: {} })
    const x = publicKey.export({ format: 'jwk' }).x as string
    const { clusterId, nodeId, sessionPath } = await api('join', {
      body: { token, name, publicKey: x },
    })
    const text = connectText(clusterId, nodeId, 1)
    const ws = new WebSocket(`${url.replace(/^http/, 'ws')}${sessionPath}`, {
      headers: {
        'x-holdfast-node': nodeId,
        'x-holdfast-attempt': '1',
        'x-holdfast-signature': sign(null, Buffer.from(text), key).toString('base64url'),
      },
    })
    const node = new IdleNode({ clusterId, nodeId }, key, ws, timing)
    await node.welcomed
    return node
  }

  /** Pings, and confirms on the control plane's clock (probe/agent/link.ts). */
  #lease(): void {
    const { pingMs, ttlAuthorityMs } = this.#timing
    this.#ws.send('ping')
    // Hosts were not all started at the same instant.
    const beginInMs = Math.random() * pingMs
    this.#after(beginInMs, () => {
      this.#timers.push(setInterval(() => this.#ws.send('ping'), pingMs))
    })
    const every = Math.floor(ttlAuthorityMs / 3)
    const confirm = () => {
      this.#confirms += 1
      this.#send({ t: 'confirm', n: this.#confirms })
    }
    confirm()
    this.#after(every - (Date.now() % every), () => {
      confirm()
      this.#timers.push(setInterval(confirm, every))
    })
  }

  #after(ms: number, work: () => void): void {
    this.#timers.push(setTimeout(work, ms))
  }

  #report({ session, nonce }: Extract<ObjectFrame, { t: 'challenge' }>): void {
    const boot = `boot-${this.#ids.nodeId}`
    const text = sessionText({ ...this.#ids, session, nonce, boot })
    this.#send({
      ...{ t: 'report', session, protocol: PROTOCOL, boot, guard: randomUUID() },
      ...{ intents: [], run: randomUUID(), held: [], version: '0.1.0' },
      types: [{ type: 'process', version: '1', sha256: '0'.repeat(64) }],
      replica: { seq: 0, hash: '0'.repeat(64) },
      signature: sign(null, Buffer.from(text), this.#key).toString('base64url'),
    })
  }

  #send(frame: NodeFrame): void {
    this.#ws.send(JSON.stringify(frame))
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#ws.removeAllListeners('close')
    this.#ws.terminate()
  }
}
