import type { HostClock } from '../schema/host-clock.ts'
import { LIMITS } from '../schema/limits.ts'
import { CLOSE, type ObjectFrame } from '../schema/session.ts'
import type { Update } from '../schema/update.ts'
import type { HiveStore } from './hive-store.ts'
import type { OpenSession } from './liveness.ts'

/** What survives hibernation with a socket. */
export interface Attachment {
  nodeId: string
  session: number
  nonce: string
  phase: 'challenged' | 'welcomed'
  welcomedMs: number
  run: string
  /** Of its probe, as it has said; absent: on a session from before that was kept. */
  version?: string
  /** Last update sent on this socket; the stream has no gaps (U3). */
  sentSeq: number
  /** Which peers it was told last; '' for none (S-17). */
  peersTold: string
  /** Whom it hears, as it has said on this session, and in which session of theirs (S-17). */
  hears: Readonly<Record<string, { readonly session: number; readonly answered: boolean }>>
  /** How its clocks stand, as it has said on this session (S-13). */
  clock: HostClock | null
}

export interface Welcomed {
  readonly ws: WebSocket
  readonly attachment: Attachment
}

/** Communications: sockets of the nodes, and the ordered stream of updates to each. */
export class Sockets {
  readonly #ctx: DurableObjectState
  readonly #store: HiveStore
  #gather: ReturnType<typeof setTimeout> | null = null

  constructor(ctx: DurableObjectState, store: HiveStore) {
    this.#ctx = ctx
    this.#store = store
  }

  /** Null for what is no node's socket: event streams hang on the same object. */
  attachment(ws: WebSocket): Attachment | null {
    const attachment = ws.deserializeAttachment() as Attachment | null
    return attachment && 'nodeId' in attachment ? attachment : null
  }

  /** A socket that was opened now: challenged, and nothing is known of its other end. */
  begin(ws: WebSocket, of: Pick<Attachment, 'nodeId' | 'session' | 'nonce'>): void {
    const nothing = { welcomedMs: 0, run: '', sentSeq: 0, peersTold: '', hears: {}, clock: null }
    this.attach(ws, { ...of, phase: 'challenged', ...nothing })
  }

  attach(ws: WebSocket, attachment: Attachment): void {
    ws.serializeAttachment(attachment)
  }

  /** Whether a newer session of the node was begun. */
  hasNewer({ nodeId, session }: Attachment): boolean {
    return this.of(nodeId).some((ws) => (this.attachment(ws)?.session ?? 0) > session)
  }

  /** Sockets of a node that are open, whatever their phase; of one session, where that is named. */
  of(nodeId: string, session?: number): WebSocket[] {
    const open = this.#ctx.getWebSockets(nodeId).filter((ws) => ws.readyState === WebSocket.OPEN)
    if (session === undefined) return open
    return open.filter((ws) => this.attachment(ws)?.session === session)
  }

  /** The welcomed socket of a node, or null. */
  welcomed(nodeId: string): { ws: WebSocket; attachment: Attachment } | null {
    for (const ws of this.of(nodeId)) {
      const attachment = this.attachment(ws)
      if (attachment?.phase === 'welcomed') return { ws, attachment }
    }
    return null
  }

  allWelcomed(): Welcomed[] {
    const found: Welcomed[] = []
    for (const ws of this.#ctx.getWebSockets()) {
      if (ws.readyState !== WebSocket.OPEN) continue
      const attachment = this.attachment(ws)
      if (attachment?.phase === 'welcomed') found.push({ ws, attachment })
    }
    return found
  }

  /** How the runtime sees the session (D2): reads the auto-answer's time. */
  open(ws: WebSocket, attachment: Attachment): OpenSession {
    return {
      nodeId: attachment.nodeId,
      welcomedMs: attachment.welcomedMs,
      lastAnswerMs: this.#ctx.getWebSocketAutoResponseTimestamp(ws)?.getTime() ?? null,
    }
  }

  /** On its welcomed socket; without one nothing is said. */
  tell(nodeId: string, frame: ObjectFrame): void {
    const found = this.welcomed(nodeId)
    if (found) this.send(found.ws, frame)
  }

  /**
   * The cluster is deleted. A host is told so by what it knows from being removed: it gives up its session and
   * its leases end, as they do whenever nobody renews them (L4).
   */
  endAll(cluster: string): void {
    const detail = `cluster ${cluster} was deleted`
    for (const ws of this.#ctx.getWebSockets())
      if (this.attachment(ws)) this.close(ws, CLOSE.evicted, { code: 'notMember', detail })
  }

  send(ws: WebSocket, frame: ObjectFrame): void {
    try {
      ws.send(JSON.stringify(frame))
    } catch {
      // The socket is closing: its close event does what is to be done.
    }
  }

  close(ws: WebSocket, code: number, bye: { code: string; detail: string }): void {
    // Field by field: a frame with anything else in it is not understood by the node.
    this.send(ws, { t: 'bye', code: bye.code, detail: bye.detail })
    try {
      ws.close(code, bye.code)
    } catch {
      // Already closed by the peer.
    }
  }

  /** Brings every welcomed socket up to `seq`; the nodes not concerned a little later. */
  replicate(seq: number, latest: readonly Update[], hash: string, concerned: Set<string>): void {
    let left = false
    for (const { ws, attachment } of this.allWelcomed()) {
      if (attachment.sentSeq >= seq) continue
      if (concerned.has('all') || concerned.has(attachment.nodeId))
        this.#catchUp(ws, attachment, seq, latest, hash)
      else left = true
    }
    if (!left || this.#gather !== null) return
    this.#gather = setTimeout(() => {
      this.#gather = null
      for (const { ws, attachment } of this.allWelcomed())
        this.#catchUp(ws, attachment, null, [], '')
    }, LIMITS.gatherMs)
  }

  /** Sends everything from the socket's position on, in frames of bounded size. */
  #catchUp(
    ws: WebSocket,
    attachment: Attachment,
    seq: number | null,
    latest: readonly Update[],
    hash: string,
  ): void {
    const first = latest[0]
    if (seq !== null && first?.seq === attachment.sentSeq + 1) {
      if (latest.length <= LIMITS.updatesPerFrameMax) {
        this.send(ws, { t: 'updates', hash, updates: [...latest] })
        this.attach(ws, { ...attachment, sentSeq: seq })
        return
      }
    }
    this.sendFrom(ws, attachment)
  }

  /** From the journal; a gap closes the session, and the next one begins with a snapshot (U3). */
  sendFrom(ws: WebSocket, attachment: Attachment): void {
    let sent = attachment.sentSeq
    for (;;) {
      const rows = this.#store.updates(sent + 1, Number.MAX_SAFE_INTEGER)
      const last = rows.at(-1)
      if (!last) break
      if (rows[0]?.update.seq !== sent + 1) {
        this.close(ws, CLOSE.badFrame, {
          code: 'resync',
          detail: 'the journal is shorter than that',
        })
        return
      }
      this.send(ws, { t: 'updates', hash: last.hash, updates: rows.map((row) => row.update) })
      sent = last.update.seq
    }
    if (sent !== attachment.sentSeq) this.attach(ws, { ...attachment, sentSeq: sent })
  }
}
