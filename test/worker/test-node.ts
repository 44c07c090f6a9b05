/** A node of the test: a real key, a real WebSocket, and frames written by hand. */
import { exports } from 'cloudflare:workers'
import {
  connectText,
  type HeldGroup,
  type NodeFrame,
  type ObjectFrame,
  objectFrame,
  PROTOCOL,
  sessionText,
} from '../../schema/session.ts'
import { ok, pause, type TestCluster } from './api.ts'

type FrameOf<T extends ObjectFrame['t']> = Extract<ObjectFrame, { t: T }>
type Report = Extract<NodeFrame, { t: 'report' }>
/** A numbered report without its number. */
type Unnumbered<T> = T extends { n: number } ? Omit<T, 'n'> : never

export interface Joined {
  clusterId: string
  nodeId: string
  sessionPath: string
  changed: boolean
}

export class TestNode {
  readonly name: string
  readonly cluster: TestCluster
  readonly joined: Joined
  readonly keys: CryptoKeyPair
  run = crypto.randomUUID()
  guard: string = crypto.randomUUID()
  attempt = 0
  n = 0
  socket: Line | null = null
  replica = { seq: 0, hash: '0'.repeat(64) }

  private constructor(cluster: TestCluster, name: string, joined: Joined, keys: CryptoKeyPair) {
    this.cluster = cluster
    this.name = name
    this.joined = joined
    this.keys = keys
  }

  static async join(cluster: TestCluster, name: string): Promise<TestNode> {
    const keys = (await crypto.subtle.generateKey('Ed25519', true, [
      'sign',
      'verify',
    ])) as CryptoKeyPair
    const { token } = await ok<{ token: string }>('createToken', {
      params: cluster.params,
      body: {},
    })
    const body = { token, name, publicKey: await publicText(keys) }
    return new TestNode(cluster, name, await ok<Joined>('join', { body }), keys)
  }

  static async up(cluster: TestCluster, name: string): Promise<TestNode> {
    const node = await TestNode.join(cluster, name)
    await node.begin()
    return node
  }

  get id(): string {
    return this.joined.nodeId
  }

  get line(): Line {
    if (!this.socket) throw new Error(`${this.name} has no socket`)
    return this.socket
  }

  /** A request to open a socket: signed, unless it is made otherwise. */
  async request(over: { attempt?: number; nodeId?: string; signature?: string } = {}) {
    const attempt = over.attempt ?? ++this.attempt
    const nodeId = over.nodeId ?? this.id
    const text = connectText(this.joined.clusterId, nodeId, attempt)
    return exports.default.fetch(`https://holdfast.test${this.joined.sessionPath}`, {
      headers: {
        upgrade: 'websocket',
        'x-holdfast-node': nodeId,
        'x-holdfast-attempt': String(attempt),
        'x-holdfast-signature': over.signature ?? (await this.sign(text)),
      },
    })
  }

  /** Opens a socket and waits for the challenge (S1). */
  async connect(): Promise<FrameOf<'challenge'>> {
    const response = await this.request()
    if (!response.webSocket) throw new Error(`refused: ${await response.text()}`)
    this.socket = new Line(response.webSocket)
    return this.socket.next('challenge')
  }

  /** The report that answers a challenge (S3). */
  async report(challenge: FrameOf<'challenge'>, over: Partial<Report> = {}): Promise<Report> {
    const report = {
      t: 'report' as const,
      session: challenge.session,
      protocol: PROTOCOL,
      boot: `boot-${this.name}-1`,
      guard: this.guard,
      intents: [],
      run: this.run,
      held: [] as HeldGroup[],
      types: [{ type: 'process', version: '1', sha256: '0'.repeat(64) }],
      replica: this.replica,
      version: '0.0.0',
      ...over,
    }
    const text = sessionText({
      clusterId: this.joined.clusterId,
      nodeId: this.id,
      session: report.session,
      nonce: challenge.nonce,
      boot: report.boot,
    })
    return { ...report, signature: over.signature ?? (await this.sign(text)) }
  }

  /** Challenge, report, welcome. */
  async begin(over: Partial<Report> = {}): Promise<FrameOf<'welcome'>> {
    const challenge = await this.connect()
    this.line.send(await this.report(challenge, over))
    this.session = challenge.session
    return this.line.next('welcome')
  }

  /** Sends a numbered report and waits until it is durable. */
  async tell(report: Unnumbered<NodeFrame>, n = ++this.n): Promise<void> {
    this.line.send({ ...report, n } as NodeFrame)
    const { n: acked } = await this.line.next('ack')
    if (acked !== n) throw new Error(`acked ${acked}, not ${n}`)
  }

  /** Waits for an offer, accepts it, and waits for the ownership update (O1, O2). */
  async take(groupId: string): Promise<number> {
    const offer = await this.line.next('offer', (f) => f.groupId === groupId)
    this.line.send({ t: 'accept', groupId, epoch: offer.epoch })
    return this.owned(groupId)
  }

  /** Waits for the update that gives the group to this node. */
  async owned(groupId: string): Promise<number> {
    for (;;) {
      const frame = await this.line.next('updates')
      for (const { change } of frame.updates) {
        if (change.table !== 'group' || change.id !== groupId) continue
        const ownership = change.value?.ownership
        if (ownership?.phase === 'owned' && ownership.owner === this.id) return ownership.epoch
      }
    }
  }

  /** S-17: where it listens for its peers. */
  listens(address = '10.0.0.1', port = 7_000): void {
    this.line.send({ t: 'peerAddress', listens: { address, port } })
  }

  /** The session that is welcomed on its socket. */
  session = 0

  async sign(text: string): Promise<string> {
    const bytes = new TextEncoder().encode(text)
    return base64url(await crypto.subtle.sign('Ed25519', this.keys.privateKey, bytes))
  }
}

/** One socket: what came on it, in order, and how it ended. */
export class Line {
  readonly ws: WebSocket
  readonly frames: ObjectFrame[] = []
  pongs = 0
  couldNot: string | null = null
  closed: { code: number; reason: string } | null = null

  constructor(ws: WebSocket) {
    this.ws = ws
    ws.addEventListener('message', ({ data }) => {
      if (data === 'pong') {
        this.pongs += 1
        return
      }
      const frame = objectFrame.parse(JSON.parse(String(data)))
      this.frames.push(frame)
      // What it could not take a test says by itself.
      if (frame.t === 'couldTake')
        this.send({ t: 'couldTake', request: frame.request, against: this.couldNot })
    })
    ws.addEventListener('close', ({ code, reason }) => {
      this.closed = { code, reason }
    })
    ws.accept()
  }

  send(frame: NodeFrame): void {
    this.ws.send(JSON.stringify(frame))
  }

  /** Takes the first frame of this kind that was not taken yet. */
  async next<T extends ObjectFrame['t']>(
    t: T,
    fits: (frame: FrameOf<T>) => boolean = () => true,
    ms = 25_000,
  ): Promise<FrameOf<T>> {
    for (const endMs = performance.now() + ms; ; await pause(2)) {
      const at = this.frames.findIndex((f) => f.t === t && fits(f as FrameOf<T>))
      if (at >= 0) return this.frames.splice(at, 1)[0] as FrameOf<T>
      if (performance.now() > endMs)
        throw new Error(`no ${t}; closed ${JSON.stringify(this.closed)}`)
    }
  }

  async end(ms = 25_000): Promise<{ code: number; reason: string }> {
    for (const endMs = performance.now() + ms; ; await pause(2)) {
      if (this.closed) return this.closed
      if (performance.now() > endMs) throw new Error('the socket stays open')
    }
  }
}

async function publicText(keys: CryptoKeyPair): Promise<string> {
  return base64url((await crypto.subtle.exportKey('raw', keys.publicKey)) as ArrayBuffer)
}

function base64url(bytes: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

/** A local stop made with more knowledge than anybody has: only S-16 keeps a repetition out. */
export const intentNow = (resourceId: string, epoch: number) => ({
  t: 'intent' as const,
  resourceId,
  epoch,
  persistentState: 0 as const,
  knownSeq: 1_000_000,
})
