/**
 * Peers (S-17): tells the nodes of a cluster whom to hear and by which keys, and keeps what they say of
 * each other. What a peer says is evidence and a reason to look; it never takes a group away and
 * never shortens a wait. All of it hangs on the session that said it: it goes with its socket.
 */
import { createHash, createHmac } from 'node:crypto'
import type { NodeFrame, Peer } from '../schema/session.ts'
import { peerRing, vouchedFor } from './core/peers.ts'
import type { HiveStore } from './hive-store.ts'
import { suspicionMs } from './liveness.ts'
import { type PeerRow, PeerStore } from './peer-store.ts'
import type { Attachment, Sockets, Welcomed } from './sockets.ts'

type FrameOf<T extends NodeFrame['t']> = Extract<NodeFrame, { t: T }>
export type PeerFrame = FrameOf<'peerAddress' | 'peerHeard' | 'peerSilent'>

export const isPeerFrame = (frame: NodeFrame): frame is PeerFrame =>
  frame.t === 'peerAddress' || frame.t === 'peerHeard' || frame.t === 'peerSilent'

/** One pair of nodes fills the cluster log no faster than this. */
const LOG_EVERY_MS = 10_000

export class Peers {
  readonly #store: HiveStore
  readonly #rows: PeerStore
  readonly #sockets: Sockets
  /** A peer has doubts about a node: it is to be looked at, by the rules. */
  readonly #doubted: (nodeId: string) => void
  readonly #logged = new Map<string, number>()

  constructor(store: HiveStore, sockets: Sockets, doubted: (nodeId: string) => void) {
    this.#store = store
    this.#rows = new PeerStore(store.db)
    this.#sockets = sockets
    this.#doubted = doubted
  }

  /** From a welcomed session only. */
  frame(ws: WebSocket, a: Attachment, frame: PeerFrame): void {
    if (frame.t === 'peerAddress') {
      this.#rows.listens(a.nodeId, a.session, frame.listens)
      return this.tell()
    }
    // Whoever is not its peer is none of its business: what is kept is bounded by that.
    const peers = peerRing(this.#rows.rows()).get(a.nodeId) ?? []
    if (!peers.includes(frame.nodeId)) return
    if (frame.t === 'peerHeard') this.#heard(ws, a, frame)
    else this.#silent(ws, a, frame)
  }

  #heard(ws: WebSocket, a: Attachment, frame: FrameOf<'peerHeard'>): void {
    const { nodeId, session, answered } = frame
    const before = a.hears[nodeId]
    this.#sockets.attach(ws, { ...a, hears: { ...a.hears, [nodeId]: { session, answered } } })
    if (answered) {
      if (before && !before.answered)
        this.#log(a, nodeId, (to) => `hears that ${to} is answered again`)
      return
    }
    if (before?.answered !== false)
      this.#log(a, nodeId, (to) => `hears ${to}, which gets no answer from the control plane`)
    this.#doubted(nodeId)
  }

  #silent(ws: WebSocket, a: Attachment, frame: FrameOf<'peerSilent'>): void {
    const { nodeId, sinceMs } = frame
    const { [nodeId]: before, ...hears } = a.hears
    this.#sockets.attach(ws, { ...a, hears })
    if (before) this.#log(a, nodeId, (to) => `no longer hears ${to}, silent for ${sinceMs} ms`)
    this.#doubted(nodeId)
  }

  vouchedFor(open: readonly Welcomed[], nowMs: number): Set<string> {
    const timing = this.#store.timing()
    return vouchedFor(
      open.map(({ ws, attachment }) => {
        const { nodeId, session, hears } = attachment
        const dueMs = suspicionMs(this.#sockets.open(ws, attachment), timing)
        return { nodeId, session, hears, suspect: dueMs <= nowMs }
      }),
    )
  }

  /** For each node the names of those that hear it, as far as they have said: evidence for people. */
  heardBy(): Map<string, string[]> {
    const heard = new Map<string, string[]>()
    for (const { attachment } of this.#sockets.allWelcomed()) {
      const heardIds = Object.keys(attachment.hears)
      if (heardIds.length === 0) continue
      const name = this.#rows.nameOf(attachment.nodeId)
      for (const id of heardIds) heard.set(id, [...(heard.get(id) ?? []), name].sort())
    }
    return heard
  }

  /** Every node gets its peers when they are others than it was told last, or have other keys. */
  tell(): void {
    const rows = new Map(this.#rows.rows().map((row) => [row.nodeId, row]))
    const ring = peerRing([...rows.values()])
    if (rows.size < 2 && !this.#anyTold()) return
    const secrets = this.#rows.secrets(Date.now())
    for (const { ws, attachment: a } of this.#sockets.allWelcomed()) {
      const peers = (ring.get(a.nodeId) ?? []).map((id) => rows.get(id) as PeerRow)
      const told = peers.length === 0 ? '' : tableHash(peers, secrets)
      if (told === a.peersTold) continue
      const ids = new Set(peers.map((row) => row.nodeId))
      const hears = Object.fromEntries(Object.entries(a.hears).filter(([id]) => ids.has(id)))
      this.#sockets.attach(ws, { ...a, peersTold: told, hears })
      this.#sockets.send(ws, { t: 'peers', peers: peers.map((row) => asPeer(row, a, secrets)) })
    }
  }

  #anyTold(): boolean {
    return this.#sockets.allWelcomed().some(({ attachment }) => attachment.peersTold !== '')
  }

  #log(a: Attachment, nodeId: string, said: (to: string) => string): void {
    const nowMs = Date.now()
    const pair = `${a.nodeId} ${nodeId}`
    const last = this.#logged.get(pair)
    if (last !== undefined && nowMs >= last && nowMs - last < LOG_EVERY_MS) return
    this.#logged.set(pair, nowMs)
    const message = `peers: ${this.#rows.nameOf(a.nodeId)} ${said(this.#rows.nameOf(nodeId))}`
    this.#store.appendLog([{ atMs: nowMs, node: 'control', component: 'NM', message }])
  }
}

interface Secret {
  readonly id: number
  readonly secret: string
}

function asPeer(row: PeerRow, a: Attachment, secrets: readonly Secret[]): Peer {
  const keys = secrets.map(({ id, secret }) => ({ id, key: pairKey(secret, row.nodeId, a.nodeId) }))
  return { ...row, keys }
}

/** Known to the two nodes of a pair and to nobody else in the cluster. */
function pairKey(secret: string, one: string, other: string): string {
  const pair = [one, other].sort().join(' ')
  return createHmac('sha256', secret).update(`key of peers ${pair}`).digest('base64url')
}

function tableHash(peers: readonly PeerRow[], secrets: readonly Secret[]): string {
  const ids = secrets.map((s) => s.id)
  return createHash('sha256')
    .update(JSON.stringify([peers, ids]))
    .digest('base64url')
    .slice(0, 16)
}
