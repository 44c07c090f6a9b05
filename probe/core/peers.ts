/**
 * What this node knows of its peers by their beats (S-17), and what the control plane is to be told of
 * it: only changes, each on the session that it was told on. Pure; time comes in.
 */

export interface PeerTimes {
  /** How often each peer is to be heard. */
  readonly beatMs: number
  /** One that was not heard for this long is silent. */
  readonly silentMs: number
}

/** One beat of a peer, found genuine. */
export interface Beat {
  readonly nodeId: string
  /** The sender's session: grows with each, over restarts and boots. */
  readonly session: number
  /** Grows with each beat within a session. */
  readonly counter: number
  /** Its pings to the control plane are answered. */
  readonly answered: boolean
}

export interface PeerState {
  /** Beats of an earlier session than this are old. */
  readonly session: number
  readonly last: (Omit<Beat, 'nodeId'> & { readonly atMs: number }) | null
  readonly silent: boolean
  /** What the control plane was told on our present session, or null. */
  readonly told: { readonly session: number; readonly answered: boolean } | null
}

export interface PeersState {
  readonly times: PeerTimes
  /**
   * A session of ours is welcomed; and the control plane has told on it who our peers are. Before that
   * it would not know what we speak of.
   */
  readonly session: 'none' | 'welcomed' | 'introduced'
  readonly tickedMs: number | null
  readonly peers: ReadonlyMap<string, PeerState>
}

export type PeersEvent =
  | { type: 'connected'; times: PeerTimes }
  | { type: 'disconnected' }
  | { type: 'table'; peers: readonly { nodeId: string; session: number }[] }
  | ({ type: 'beat' } & Beat)
  /** At least once every `beatMs`. */
  | { type: 'tick' }

export type PeerReport =
  | { t: 'peerHeard'; nodeId: string; session: number; answered: boolean }
  | { t: 'peerSilent'; nodeId: string; session: number; sinceMs: number }

export interface PeersOutcome {
  readonly state: PeersState
  readonly reports: readonly PeerReport[]
  /** Of a beat: why it was not taken. */
  readonly dropped?: 'unknownSender' | 'replayed'
}

export const NO_PEERS: PeersState = {
  times: { beatMs: 1_000, silentMs: 4_000 },
  session: 'none',
  tickedMs: null,
  peers: new Map(),
}

/** @param nowMs on the clock that counts from boot */
export function peersStep(state: PeersState, event: PeersEvent, nowMs: number): PeersOutcome {
  switch (event.type) {
    case 'connected':
      return begins({ ...state, times: event.times, session: 'welcomed' })
    case 'disconnected':
      return begins({ ...state, session: 'none' })
    case 'table':
      return introduced(state, event.peers, nowMs)
    case 'beat':
      return beat(state, event, nowMs)
    case 'tick':
      return tick(state, nowMs)
  }
}

/** Heard lately, whatever it says of the control plane. */
export const isHeard = (peer: PeerState): boolean => peer.last !== null && !peer.silent

/** What was told on an earlier session is forgotten by both sides. */
function begins(state: PeersState): PeersOutcome {
  const untold = [...state.peers].map(([id, peer]) => [id, { ...peer, told: null }] as const)
  return { state: { ...state, peers: new Map(untold) }, reports: [] }
}

function introduced(
  state: PeersState,
  rows: readonly { nodeId: string; session: number }[],
  nowMs: number,
): PeersOutcome {
  const session = state.session === 'none' ? 'none' : 'introduced'
  return told({ ...state, session, peers: tableOf(state, rows) }, nowMs)
}

function tableOf(
  state: PeersState,
  rows: readonly { nodeId: string; session: number }[],
): Map<string, PeerState> {
  return new Map(
    rows.map(({ nodeId, session }) => {
      const known = state.peers.get(nodeId)
      const fresh: PeerState = { session, last: null, silent: false, told: null }
      return [nodeId, known ? { ...known, session } : fresh]
    }),
  )
}

function beat(state: PeersState, b: Beat, nowMs: number): PeersOutcome {
  const peer = state.peers.get(b.nodeId)
  if (!peer) return { state, reports: [], dropped: 'unknownSender' }
  if (b.session < peer.session || isOld(b, peer.last))
    return { state, reports: [], dropped: 'replayed' }
  const { session, counter, answered } = b
  const last = { session, counter, answered, atMs: nowMs }
  const peers = new Map(state.peers).set(b.nodeId, { ...peer, last, silent: false })
  return told({ ...state, peers }, nowMs)
}

/** Session and counter only grow: a copy of an earlier beat is worth nothing. */
function isOld(b: Beat, last: PeerState['last']): boolean {
  if (last === null) return false
  return b.session < last.session || (b.session === last.session && b.counter <= last.counter)
}

/**
 * Who has become silent. A node that stood still itself has not heard anybody: the time for which
 * nothing ran here counts for nobody.
 */
function tick(state: PeersState, nowMs: number): PeersOutcome {
  const { beatMs, silentMs } = state.times
  const since = state.tickedMs === null ? 0 : nowMs - state.tickedMs
  const stoodStillMs = since > 2 * beatMs ? since - beatMs : 0
  const peers = new Map<string, PeerState>()
  for (const [id, peer] of state.peers) {
    const last = peer.last && { ...peer.last, atMs: Math.min(nowMs, peer.last.atMs + stoodStillMs) }
    const silent = last !== null && nowMs - last.atMs >= silentMs
    peers.set(id, { ...peer, last, silent: silent || (peer.silent && last !== null) })
  }
  return told({ ...state, tickedMs: nowMs, peers }, nowMs)
}

/** What the control plane does not know yet. */
function told(state: PeersState, nowMs: number): PeersOutcome {
  if (state.session !== 'introduced') return { state, reports: [] }
  const reports: PeerReport[] = []
  const peers = new Map<string, PeerState>()
  for (const [nodeId, peer] of state.peers) {
    const report = news(nodeId, peer, nowMs)
    if (report) reports.push(report)
    const known = report?.t === 'peerHeard' ? report : report ? null : peer.told
    peers.set(nodeId, {
      ...peer,
      told: known && { session: known.session, answered: known.answered },
    })
  }
  return { state: reports.length > 0 ? { ...state, peers } : state, reports }
}

function news(nodeId: string, peer: PeerState, nowMs: number): PeerReport | null {
  const { last, told } = peer
  if (last === null) return null
  const { session, answered, atMs } = last
  if (peer.silent)
    return told && { t: 'peerSilent', nodeId, session, sinceMs: Math.round(nowMs - atMs) }
  if (told?.session === session && told.answered === answered) return null
  return { t: 'peerHeard', nodeId, session, answered }
}
