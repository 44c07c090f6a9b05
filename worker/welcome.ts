import type { PolicyTold } from '../schema/fencing.ts'
import { type Hive, toDocument } from '../schema/hive.ts'
import { CLOSE } from '../schema/session.ts'
import type { Timing } from '../schema/timing.ts'
import { type HiveStore, inParts } from './hive-store.ts'
import type { LossWatch } from './loss-watch.ts'
import type { Attachment, Sockets } from './sockets.ts'

/** The takeover policy as nodes are told it, with the number of its last change. */
const policyOf = ({ cluster }: Hive): PolicyTold => ({
  takeover: cluster?.takeover ?? 'lease',
  number: cluster?.policyNumber ?? 0,
})

interface Parts {
  readonly sockets: Sockets
  readonly store: HiveStore
  readonly watch: Pick<LossWatch, 'lostBeforeWelcome' | 'welcomed'>
  readonly hive: Hive
  readonly hash: string
}

/** The session whose report was accepted is the node's from now on; its older sockets are done (S1). */
export function welcomeSession(parts: Parts, nodeId: string, session: number): void {
  const { sockets, store, watch, hive, hash } = parts
  const ours = sockets.of(nodeId).find((ws) => sockets.attachment(ws)?.session === session)
  const a = ours && sockets.attachment(ours)
  // S1: older sockets of the node carry nothing from now on, not even what is on the way.
  for (const ws of sockets.of(nodeId)) {
    const older = sockets.attachment(ws)
    if (ws === ours || !older) continue
    sockets.attach(ws, { ...older, phase: 'challenged' })
    sockets.close(ws, CLOSE.superseded, { code: 'superseded', detail: 'a newer session' })
  }
  if (!ours || !a) return watch.lostBeforeWelcome(nodeId)
  const welcomedMs = Date.now()
  watch.welcomed(nodeId)
  sockets.attach(ours, { ...a, phase: 'welcomed', welcomedMs, sentSeq: hive.seq })
  sendWelcome(sockets, store, ours, a, hive, hash, store.timing(), welcomedMs)
}

/**
 * The welcome, and behind it what the node has missed: updates when its replica is a prefix of
 * ours, else a snapshot in parts. None of it is permission: only what is committed later is (U1, U2).
 */
function sendWelcome(
  sockets: Sockets,
  store: HiveStore,
  ws: WebSocket,
  a: Attachment,
  hive: Hive,
  hash: string,
  timing: Timing,
  nowMs: number,
): void {
  const node = hive.nodes.get(a.nodeId)
  sockets.send(ws, {
    t: 'welcome',
    session: a.session,
    seq: hive.seq,
    nowMs,
    timing,
    policy: policyOf(hive),
    view: hive.cluster?.view ?? 0,
    node: { id: a.nodeId, name: node?.name ?? a.nodeId },
  })
  if (a.sentSeq >= 0) {
    for (let from = a.sentSeq + 1; from <= hive.seq; ) {
      const rows = store.updates(from, hive.seq)
      const last = rows.at(-1)
      if (!last) break
      sockets.send(ws, { t: 'updates', hash: last.hash, updates: rows.map((r) => r.update) })
      from = last.update.seq + 1
    }
    return
  }
  const texts = inParts(JSON.stringify(toDocument(hive)))
  texts.forEach((text, part) => {
    sockets.send(ws, { t: 'snapshot', seq: hive.seq, hash, part, parts: texts.length, text })
  })
}

/** From where a node's replica can be caught up by updates; -1 when only a snapshot helps (U3). */
export function caughtUpTo(
  store: HiveStore,
  newest: number,
  { seq, hash }: { seq: number; hash: string },
): number {
  if (seq > newest || store.hashAt(seq) !== hash) return -1
  return seq === newest || store.updates(seq + 1, seq + 1, 1).length === 1 ? seq : -1
}
