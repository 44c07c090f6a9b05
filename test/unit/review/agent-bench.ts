/** The real agent between a control plane and a guard that say what the test has them say. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type WebSocket, WebSocketServer } from 'ws'
import { Agent } from '../../../probe/agent/agent.ts'
import { Identity, makeKey, writeIdentity } from '../../../probe/agent/identity.ts'
import { LocalStops } from '../../../probe/agent/local-stops.ts'
import { Replica } from '../../../probe/agent/replica.ts'
import { toDocument } from '../../../schema/hive.ts'
import type { AgentToGuard, HeldResource } from '../../../schema/ipc.ts'
import type { HeldGroup, NodeFrame, StatusItem } from '../../../schema/session.ts'
import type { World } from '../../scenarios/world.ts'

const RUN = '00000000-0000-4000-8000-0000000000aa'

export class AgentBench {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-agent-'))
  readonly world: World
  readonly toGuard: AgentToGuard[] = []
  readonly fromNode: NodeFrame[] = []
  #agent: Agent | null = null
  #held: HeldGroup[] = []
  #socket: WebSocket | null = null
  #session = 0
  #server: WebSocketServer | null = null
  /** Sends the snapshot with the welcome. */
  snapshots = true

  constructor(world: World) {
    this.world = world
  }

  async start(held: HeldGroup[]): Promise<void> {
    this.#held = held
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    this.#server = server
    await new Promise((resolve) => server.once('listening', resolve))
    server.on('connection', (socket) => this.#connected(socket))
    const { port } = server.address() as { port: number }
    makeKey(this.folder)
    writeIdentity(this.folder, {
      nodeId: this.world.id('node', 'n1'),
      nodeName: 'n1',
      clusterId: this.world.id('cluster', 'prod'),
      clusterName: 'prod',
      url: `http://127.0.0.1:${port}`,
      sessionPath: '/v1/sessions/x',
    })
    const agent = new Agent(
      new Identity(this.folder),
      new Replica(this.folder),
      new LocalStops(this.folder),
      (frame) => this.#fromAgent(frame),
    )
    this.#agent = agent
    agent.fromGuard({
      t: 'hello',
      boot: 'boot',
      guard: RUN,
      held,
      monitors: ['rhs'],
      running: [],
      fence: null,
    })
    agent.fromGuard({ t: 'rhsUp', monitor: 'rhs', generation: 1 })
    const types = [{ type: 'process', version: '1', sha256: '0'.repeat(64) }]
    agent.fromGuard({
      t: 'fromRhs',
      monitor: 'rhs',
      frame: { t: 'ready', unloaded: [], prepares: [], types, holding: [] },
    })
  }

  end(): void {
    for (const client of this.#server?.clients ?? []) client.terminate()
    this.#server?.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  #fromAgent(frame: AgentToGuard): void {
    this.toGuard.push(frame)
    if (frame.t === 'challenge')
      this.#agent?.fromGuard({ t: 'held', session: frame.session, held: this.#held })
  }

  #connected(socket: WebSocket): void {
    this.#socket = socket
    this.#session += 1
    socket.on('message', (data) => {
      const text = String(data)
      if (text === 'ping') return socket.send('pong')
      const frame = JSON.parse(text) as NodeFrame
      this.fromNode.push(frame)
      if (frame.t === 'report') this.#welcome()
    })
    this.send({ t: 'challenge', session: this.#session, nonce: 'n', protocol: 2 })
  }

  #welcome(): void {
    const { hive, timing, nowMs } = this.world
    const node = { id: this.world.id('node', 'n1'), name: 'n1' }
    const { seq } = hive
    const policy = { takeover: 'lease', number: 0 }
    this.send({ t: 'welcome', session: this.#session, seq, nowMs, timing, policy, view: 0, node })
    if (this.snapshots) this.snapshot()
  }

  send(frame: object): void {
    this.#socket?.send(JSON.stringify(frame))
  }

  /** The hive as it is now. */
  snapshot(): void {
    const { hive } = this.world
    const text = JSON.stringify(toDocument(hive))
    this.send({ t: 'snapshot', seq: hive.seq, hash: 'h', part: 0, parts: 1, text })
  }

  status(item: StatusItem): void {
    this.#agent?.fromGuard({
      t: 'fromRhs',
      monitor: 'rhs',
      frame: { t: 'status', items: [item] },
    })
  }

  stopHere(resource: string): void {
    this.#agent?.fromGuard({ t: 'stopHere', requestId: 1, resource, kill: false })
  }

  /** What RHS was told last of a resource. */
  told(resourceId: string): HeldResource | undefined {
    return this.toGuard
      .flatMap((f) => (f.t === 'toRhs' && f.frame.t === 'hold' ? f.frame.resources : []))
      .findLast((r) => r.guid === resourceId)
  }

  intent(): Extract<NodeFrame, { t: 'intent' }> | undefined {
    return this.fromNode.findLast((f) => f.t === 'intent')
  }
}

export async function eventually<T>(
  what: string,
  look: () => T,
  ms = 15_000,
): Promise<NonNullable<T>> {
  for (const end = Date.now() + ms; ; ) {
    const found = look()
    if (found) return found
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
