/** What nodes say on welcomed sessions: each frame goes to whom it is for. */
import type { Event } from '../schema/event.ts'
import { CLOSE, type NodeFrame } from '../schema/session.ts'
import type { Confirms } from './confirms.ts'
import type { ControlCodes } from './controls.ts'
import { isRepeated } from './core/communications-manager.ts'
import type { ClusterState } from './core/decision.ts'
import type { FenceTests } from './fence-tests.ts'
import type { Also, HiveStore } from './hive-store.ts'
import type { LossWatch } from './loss-watch.ts'
import { isModuleFrame, type ModuleRelay } from './module-relay.ts'
import type { MoveChecks } from './move-checks.ts'
import { answerEvent, eventOf, reportedEvent } from './node-frames.ts'
import { isPeerFrame, type PeerFrame, type Peers } from './peers.ts'
import { checkReport } from './session-auth.ts'
import type { Attachment, Sockets } from './sockets.ts'
import type { Watchers } from './watchers.ts'
import { caughtUpTo } from './welcome.ts'

interface Around {
  readonly store: HiveStore
  readonly sockets: Sockets
  readonly confirms: Confirms
  readonly peers: Peers
  readonly modules: ModuleRelay
  readonly watch: LossWatch
  readonly watchers: Watchers
  readonly fenceTests: FenceTests
  readonly controls: ControlCodes
  readonly moveChecks: MoveChecks
  state(): ClusterState
  handle(event: Event, also: Also | null): unknown
  /** The log has grown. */
  logged(): void
}

export class NodeInbox {
  readonly #around: Around

  constructor(around: Around) {
    this.#around = around
  }

  take(
    ws: WebSocket,
    a: Attachment,
    frame: Exclude<NodeFrame, { t: 'report' }>,
  ): Promise<void> | void {
    const { store, sockets, handle, ...to } = this.#around
    if (frame.t === 'confirm') return to.confirms.add(ws, a.nodeId, frame.n)
    if (isPeerFrame(frame)) return this.#heardOfPeer(ws, a, frame)
    if (isModuleFrame(frame)) return to.modules.frame(ws, a, frame)
    if (frame.t === 'clock') {
      sockets.attach(ws, { ...a, clock: frame.clock })
      return to.watchers.tell(true)
    }
    if (frame.t === 'log') {
      const node = to.state().hive.nodes.get(a.nodeId)?.name ?? a.nodeId
      store.appendLog(frame.entries.map((e) => ({ ...e, node })))
      return to.logged()
    }
    if (frame.t === 'fenceTested') return to.fenceTests.answered(a.nodeId, frame)
    if (frame.t === 'controlled') return to.controls.answered(a.nodeId, frame)
    if (frame.t === 'couldTake') return to.moveChecks.answered(a.nodeId, frame)
    const from = { nodeId: a.nodeId, session: a.session }
    if (frame.t === 'accept' || frame.t === 'refuse' || frame.t === 'fenceBegun')
      return void handle(answerEvent(frame, from), null)
    // S-16: numbered reports have their effect once, however often they come.
    const known = store.session(a.nodeId)
    const repeated = known && isRepeated({ run: known.run, n: known.reportN }, a.run, frame.n)
    const mark = { nodeId: a.nodeId, run: a.run, n: frame.n }
    if (!repeated) handle(eventOf(frame, from), () => store.markReport(mark))
    sockets.send(ws, { t: 'ack', n: frame.n })
  }

  /** What answers the challenge (S3). */
  report(ws: WebSocket, a: Attachment, frame: Extract<NodeFrame, { t: 'report' }>): void {
    const { store, sockets, state, handle } = this.#around
    const { hive } = state()
    if (sockets.hasNewer(a)) {
      const detail = 'a newer session of this node was begun (S2)'
      return sockets.close(ws, CLOSE.superseded, { code: 'superseded', detail })
    }
    const problem = checkReport(frame, a, hive)
    if (problem) return sockets.close(ws, CLOSE.refused, problem)
    const sentSeq = caughtUpTo(store, hive.seq, frame.replica)
    sockets.attach(ws, { ...a, run: frame.run, version: frame.version, sentSeq })
    handle(reportedEvent(a.nodeId, frame), null)
  }

  /** S-17: needs no hive. What changed by it is what is shown, and when the alarm stands. */
  #heardOfPeer(ws: WebSocket, a: Attachment, frame: PeerFrame): void {
    const { peers, watch, watchers } = this.#around
    peers.frame(ws, a, frame)
    watch.arm()
    if (frame.t !== 'peerAddress') watchers.tell(true)
  }
}
