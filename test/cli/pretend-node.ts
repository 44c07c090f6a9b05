/**
 * A node that does at once whatever the hive asks of it, over a real session to a real control
 * plane. It runs nothing: it shows what the command sees of a cluster in which things go well.
 */
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { WebSocket } from 'ws'
import type { Client } from '../../schema/api/client.ts'
import { emptyHive, fromDocument, type Hive } from '../../schema/hive.ts'
import {
  connectText,
  type NodeFrame,
  type ObjectFrame,
  objectFrame,
  PROTOCOL,
  type StatusItem,
  sessionText,
} from '../../schema/session.ts'
import { applyUpdate } from '../../schema/update.ts'

type Unnumbered<T> = T extends { n: number } ? Omit<T, 'n'> : never

export class PretendNode {
  readonly name: string
  readonly id: string
  readonly #clusterId: string
  readonly #key: KeyObject
  readonly #ws: WebSocket
  readonly #run = randomUUID()
  readonly #pings: ReturnType<typeof setInterval>
  /** Statuses as reported last, by resource. */
  readonly #told = new Map<string, string>()
  readonly #pongs: (() => void)[] = []
  readonly #updates: (() => void)[] = []
  #parts: string[] = []
  #hive: Hive = emptyHive()
  #n = 0
  /** Whether it does anything about what the hive asks. */
  works = true
  /** What it says of resources that are wanted online. */
  says: { status: StatusItem['status']; gaveUp: boolean } = { status: 'online', gaveUp: false }

  private constructor(name: string, joined: { nodeId: string; clusterId: string }, open: Open) {
    this.name = name
    this.id = joined.nodeId
    this.#clusterId = joined.clusterId
    this.#key = open.key
    this.#ws = open.ws
    this.#ws.on('message', (data) => {
      if (String(data) !== 'pong') return this.#heard(objectFrame.parse(JSON.parse(String(data))))
      for (const done of this.#pongs.splice(0)) done()
    })
    this.#pings = setInterval(() => this.#ws.send('ping'), 1_000)
  }

  static async join(api: Client, url: string, cluster: string, name: string): Promise<PretendNode> {
    const { publicKey, privateKey: key } = generateKeyPairSync('ed25519')
    const { token } = await api('createToken', { params: { cluster }, body: {} })
    const x = publicKey.export({ format: 'jwk' }).x as string
    const joined = await api('join', { body: { token, name, publicKey: x } })
    const text = connectText(joined.clusterId, joined.nodeId, 1)
    const ws = new WebSocket(`${url.replace(/^http/, 'ws')}${joined.sessionPath}`, {
      headers: {
        'x-holdfast-node': joined.nodeId,
        'x-holdfast-attempt': '1',
        'x-holdfast-signature': sign(null, Buffer.from(text), key).toString('base64url'),
      },
    })
    const node = new PretendNode(name, joined, { key, ws })
    await new Promise((done, failed) => ws.once('open', done).once('error', failed))
    return node
  }

  /** Until it is answered. */
  ping(): Promise<void> {
    return new Promise((done) => {
      this.#pongs.push(done)
      this.#ws.send('ping')
    })
  }

  /** Until the next change of the hive has come. */
  nextUpdate(): Promise<void> {
    return new Promise((done) => {
      this.#updates.push(done)
    })
  }

  close(): void {
    clearInterval(this.#pings)
    this.#ws.terminate()
  }

  /** Everything that the hive gives to it, looked at anew. */
  settle(): void {
    const items: StatusItem[] = []
    const members = Map.groupBy(this.#hive.resources.values(), (r) => r.groupId)
    for (const group of this.#hive.groups.values()) {
      const { ownership } = group
      if (ownership.owner !== this.id || !this.works) continue
      if (ownership.phase === 'releasing') {
        this.#tell({ t: 'released', groupId: group.id, epoch: ownership.epoch, why: 'asked' })
        continue
      }
      for (const r of members.get(group.id) ?? []) {
        const said =
          r.persistentState === 1 ? this.says : { status: 'offline' as const, gaveUp: false }
        const key = JSON.stringify([ownership.epoch, said])
        if (this.#told.get(r.id) === key) continue
        this.#told.set(r.id, key)
        items.push({ resourceId: r.id, epoch: ownership.epoch, restarts: 0, ...said })
      }
    }
    if (items.length > 0) this.#tell({ t: 'status', items })
  }

  #heard(frame: ObjectFrame): void {
    if (frame.t === 'challenge') this.#report(frame)
    if (frame.t === 'couldTake')
      this.#send({ t: 'couldTake', request: frame.request, against: null })
    if (frame.t === 'control')
      this.#send({ t: 'controlled', request: frame.request, outcome: { answer: 'null' } })
    if (frame.t === 'offer' && this.works)
      this.#send({ t: 'accept', groupId: frame.groupId, epoch: frame.epoch })
    if (frame.t === 'fence' && frame.order.action === 'test') {
      const { request } = frame.order
      const probe = { action: 'status' as const, ok: true, detail: 'the node is on', tookMs: 12 }
      this.#send({ t: 'fenceTested', request, fault: null, probes: [probe] })
    }
    if (frame.t === 'snapshot') {
      this.#parts[frame.part] = frame.text
      if (this.#parts.length < frame.parts) return
      this.#hive = fromDocument(JSON.parse(this.#parts.join('')))
      this.#parts = []
    }
    if (frame.t !== 'updates') return
    for (const update of frame.updates)
      if (update.seq > this.#hive.seq) applyUpdate(this.#hive, update)
    for (const done of this.#updates.splice(0)) done()
    this.settle()
  }

  #report({ session, nonce }: Extract<ObjectFrame, { t: 'challenge' }>): void {
    const boot = `boot-${this.name}-1`
    const ids = { clusterId: this.#clusterId, nodeId: this.id }
    const text = sessionText({ ...ids, session, nonce, boot })
    this.#send({
      t: 'report',
      session,
      protocol: PROTOCOL,
      boot,
      guard: randomUUID(),
      intents: [],
      run: this.#run,
      held: [],
      types: [{ type: 'process', version: '1', sha256: '0'.repeat(64) }],
      replica: { seq: 0, hash: '0'.repeat(64) },
      version: '0.1.0',
      signature: sign(null, Buffer.from(text), this.#key).toString('base64url'),
    })
  }

  #tell(report: Unnumbered<NodeFrame>): void {
    this.#n += 1
    this.#send({ ...report, n: this.#n } as NodeFrame)
  }

  #send(frame: NodeFrame): void {
    this.#ws.send(JSON.stringify(frame))
  }
}

interface Open {
  readonly key: KeyObject
  readonly ws: WebSocket
}
