/**
 * The peers of this node (S-17): sends beats, hears those of others, and tells the control plane who is
 * heard and who has fallen silent. It asks nobody for anything and decides nothing.
 */
import type { ObjectFrame, Peer, PeerAddress } from '../../schema/session.ts'
import { peerBeatMs, peerSilentMs, type Timing } from '../../schema/timing.ts'
import { bootMs } from '../clock.ts'
import { isHeard, NO_PEERS, type PeerReport, type PeersEvent, peersStep } from '../core/peers.ts'
import { PeerKeys } from './peer-keys.ts'
import type { PeerListen } from './peer-listen.ts'
import { encodeBeat, isGenuine, readBeat } from './peer-packet.ts'
import { PeerSocket } from './peer-socket.ts'

/** Of what is dropped the cluster log hears at most so often. */
const LOG_EVERY_MS = 60_000
/** What `holdfast-probe status` shows is at most so old; sooner where something was dropped. */
const SHOW_EVERY_MS = 5_000
const SHOW_DROPS_EVERY_MS = 500
/** Sessions of this run that a beat for us may still name. */
const OWN_SESSIONS_MAX = 16

/** Packets since this agent began; all but the first three were dropped, and changed nothing. */
const zeroes = () => ({
  sent: 0,
  unsent: 0,
  taken: 0,
  /** Of a moment in which not everybody knows the latest sessions, keys and peers. */
  unknownSender: 0,
  unknownKey: 0,
  outdated: 0,
  /** Of nobody who belongs here: these are said in the cluster log. */
  malformed: 0,
  otherCluster: 0,
  misdirected: 0,
  forged: 0,
  replayed: 0,
})
type Counter = keyof ReturnType<typeof zeroes>

const FOREIGN = ['malformed', 'otherCluster', 'misdirected', 'forged', 'replayed'] as const

export interface PeersParts {
  readonly clusterId: string
  readonly nodeId: string
  readonly listen: PeerListen
  /** The control plane answers our pings. */
  answered(): boolean
  tell(frame: PeerReport | { t: 'peerAddress'; listens: PeerAddress | null }): void
  nameOf(nodeId: string): string
  log(message: string): void
  changed(): void
}

export class Peers {
  readonly #parts: PeersParts
  readonly #counts = zeroes()
  readonly #keys = new PeerKeys()
  readonly #ownSessions: number[] = []
  #state = NO_PEERS
  #table = new Map<string, Peer>()
  #localAddress: string | null = null
  #socket: PeerSocket | null = null
  #listens: PeerAddress | null = null
  #problem = ''
  #timer: NodeJS.Timeout | null = null
  /** One after the other: a port is not to be had twice. */
  #binding = Promise.resolve()
  #counter = 0
  #lastDropped = ''
  #logged = { atMs: Number.NEGATIVE_INFINITY, dropped: 0 }
  #shown = { atMs: Number.NEGATIVE_INFINITY, dropped: 0 }

  constructor(parts: PeersParts) {
    this.#parts = parts
  }

  /** The address by which the control plane is reached now. */
  reachedFrom(address: string): void {
    this.#localAddress = address.replace(/^::ffff:(?=\d+\.)/, '')
  }

  welcomed(session: number, timing: Timing): void {
    this.#ownSessions.push(session)
    if (this.#ownSessions.length > OWN_SESSIONS_MAX) this.#ownSessions.shift()
    const times = { beatMs: peerBeatMs(timing), silentMs: peerSilentMs(timing) }
    this.#step({ type: 'connected', times })
    this.#keepTime()
    this.#binding = this.#binding.then(() => this.#listen(session))
  }

  closed(): void {
    if (this.#state.session !== 'none') this.#step({ type: 'disconnected' })
  }

  table({ peers }: Extract<ObjectFrame, { t: 'peers' }>): void {
    this.#table = new Map(peers.map((peer) => [peer.nodeId, peer]))
    this.#keys.learn(peers, bootMs())
    this.#step({ type: 'table', peers })
    this.#keepTime()
    this.#beat()
  }

  /** The clock of the beats runs while there is anybody to hear them. */
  #keepTime(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
    if (this.#table.size === 0) return
    this.#timer = setInterval(() => this.#beat(), this.#state.times.beatMs)
    this.#timer.unref?.()
  }

  /** For `holdfast-probe status`: never a key. */
  info() {
    return {
      listens: this.#listens,
      problem: this.#problem,
      peers: [...this.#state.peers].map(([nodeId, peer]) => ({
        nodeId,
        name: this.#parts.nameOf(nodeId),
        state: peer.last === null ? 'never heard' : isHeard(peer) ? 'heard' : 'silent',
        answered: peer.last?.answered ?? null,
        /** Since boot. */
        lastBeatMs: peer.last && Math.round(peer.last.atMs),
      })),
      packets: { ...this.#counts },
    }
  }

  /** Bound once, and again when this host reaches the control plane from another address. */
  async #listen(session: number): Promise<void> {
    const { listen } = this.#parts
    const address = listen.off ? null : (listen.address ?? this.#localAddress)
    // Nothing is known of any address here, so nothing is to be told of one.
    if (!listen.off && address === null) return
    if (this.#listens?.address !== (address ?? undefined)) {
      this.#socket?.close()
      this.#socket = this.#listens = null
      if (address !== null && !listen.off) await this.#bind(address, listen.port)
    }
    if (this.#ownSessions.at(-1) !== session || this.#state.session === 'none') return
    this.#parts.tell({ t: 'peerAddress', listens: this.#listens })
    this.#parts.changed()
  }

  async #bind(address: string, port: number): Promise<void> {
    try {
      const bound = await PeerSocket.bind(address, port, {
        message: (packet, from) => this.#message(packet, from),
        failed: (why) => {
          this.#socket = this.#listens = null
          this.#problem = why
        },
      })
      this.#socket?.close()
      this.#socket = bound.socket
      this.#listens = bound.listens
      this.#problem = ''
    } catch (error) {
      const why = (error as Error).message
      if (why !== this.#problem) this.#parts.log(`peers cannot be heard on ${address}: ${why}`)
      this.#problem = why
    }
  }

  #beat(): void {
    const nowMs = bootMs()
    this.#step({ type: 'tick' })
    this.#sayDropped(nowMs)
    const session = this.#ownSessions.at(-1)
    const socket = this.#socket
    if (session === undefined || socket === null) return
    for (const peer of this.#table.values()) {
      const { id: keyId, key } = this.#keys.toSendWith(peer, nowMs)
      this.#counter += 1
      const packet = encodeBeat(
        {
          keyId,
          clusterId: this.#parts.clusterId,
          sender: this.#parts.nodeId,
          receiver: peer.nodeId,
          senderSession: session,
          receiverSession: peer.session,
          counter: this.#counter,
          answered: this.#parts.answered(),
        },
        key,
      )
      socket.send(peer, packet, (sent) => this.#count(sent ? 'sent' : 'unsent'))
    }
  }

  #message(packet: Buffer, from: string): void {
    const drop = this.#take(packet)
    this.#count(drop ?? 'taken')
    if (FOREIGN.some((counter) => counter === drop)) this.#lastDropped = `${drop}, from ${from}`
  }

  /** Parsed strictly, and the cheap questions first. @returns why it is dropped, or null */
  #take(packet: Buffer): Counter | null {
    const beat = readBeat(packet)
    if (!beat) return 'malformed'
    if (beat.clusterId !== this.#parts.clusterId) return 'otherCluster'
    if (beat.receiver !== this.#parts.nodeId) return 'misdirected'
    const peer = this.#table.get(beat.sender)
    if (!peer) return 'unknownSender'
    const key = peer.keys.find(({ id }) => id === beat.keyId)
    if (!key) return 'unknownKey'
    if (!isGenuine(packet, key.key)) return 'forged'
    // Meant for an agent before this one, whose memory of counters is gone.
    if (!this.#ownSessions.includes(beat.receiverSession)) return 'outdated'
    const { sender: nodeId, senderSession: session, counter, answered } = beat
    return this.#step({ type: 'beat', nodeId, session, counter, answered })
  }

  #step(event: PeersEvent) {
    const { state, reports, dropped } = peersStep(this.#state, event, bootMs())
    this.#state = state
    for (const report of reports) this.#parts.tell(report)
    if (reports.length > 0) this.#parts.changed()
    return dropped ?? null
  }

  #count(counter: Counter): void {
    this.#counts[counter] += 1
  }

  /** Rate-limited: whoever sends rubbish does not fill the cluster log with it. */
  #sayDropped(nowMs: number): void {
    const dropped = FOREIGN.reduce((sum, counter) => sum + this.#counts[counter], 0)
    const showEvery = dropped === this.#shown.dropped ? SHOW_EVERY_MS : SHOW_DROPS_EVERY_MS
    if (nowMs - this.#shown.atMs >= showEvery) {
      this.#shown = { atMs: nowMs, dropped }
      this.#parts.changed()
    }
    if (dropped === this.#logged.dropped || nowMs - this.#logged.atMs < LOG_EVERY_MS) return
    const count = dropped - this.#logged.dropped
    this.#logged = { atMs: nowMs, dropped }
    this.#parts.log(`peers: ${count} foreign packets dropped (the last one ${this.#lastDropped})`)
  }
}
