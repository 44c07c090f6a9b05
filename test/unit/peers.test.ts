/** S-17 on the node: what is known of the peers, by a manual clock, and what is told of it. */
import { describe, expect, test } from 'vitest'
import { PeerKeys } from '../../probe/agent/peer-keys.ts'
import { parsePeerListen } from '../../probe/agent/peer-listen.ts'
import { NO_PEERS, type PeerReport, type PeersEvent, peersStep } from '../../probe/core/peers.ts'
import { stoodStillMs } from '../../probe/core/standstill.ts'
import { LIMITS } from '../../schema/limits.ts'
import type { Peer } from '../../schema/session.ts'
import { PROFILES, peerBeatMs, peerSilentMs } from '../../schema/timing.ts'

const TIMES = { beatMs: 100, silentMs: 400 }

/** One node, its clock, and all that it has told. */
class Bench {
  nowMs = 1_000
  state = NO_PEERS
  told: PeerReport[] = []
  counter = 0

  step(event: PeersEvent) {
    const { state, reports, dropped } = peersStep(this.state, event, this.nowMs)
    this.state = state
    this.told.push(...reports)
    return dropped ?? null
  }

  connect = () => this.step({ type: 'connected', times: TIMES })
  table = (...rows: [nodeId: string, session: number][]) =>
    this.step({ type: 'table', peers: rows.map(([nodeId, session]) => ({ nodeId, session })) })
  beat = (nodeId: string, session: number, change: { answered?: boolean; counter?: number } = {}) =>
    this.step({
      type: 'beat',
      nodeId,
      session,
      counter: change.counter ?? ++this.counter,
      answered: change.answered ?? true,
    })

  /** Time passes, with a look at it every beat. */
  advance(ms: number, each: () => void = () => {}): void {
    for (const end = this.nowMs + ms; this.nowMs < end; ) {
      this.nowMs += TIMES.beatMs
      each()
      this.step({ type: 'tick' })
    }
  }

  take(): PeerReport[] {
    return this.told.splice(0)
  }
}

function bench(): Bench {
  const b = new Bench()
  b.connect()
  b.table(['n2', 7], ['n3', 8])
  b.step({ type: 'tick' })
  return b
}

const heard = (nodeId: string, session: number, answered = true) => ({
  ...{ t: 'peerHeard', nodeId, session, answered },
})

describe('S-17: who is heard, and who is not', () => {
  test('told once when heard, once when silent, once when heard again', () => {
    const b = bench()
    b.advance(1_000, () => b.beat('n2', 7))
    expect(b.take()).toEqual([heard('n2', 7)])
    b.advance(300)
    expect(b.take()).toEqual([])
    b.advance(2_000)
    expect(b.take()).toEqual([{ t: 'peerSilent', nodeId: 'n2', session: 7, sinceMs: 400 }])
    b.beat('n2', 7)
    expect(b.take()).toEqual([heard('n2', 7)])
  })

  test('one that was never heard is not silent', () => {
    const b = bench()
    b.advance(10_000)
    expect(b.take()).toEqual([])
  })

  test('one that says it is not answered is heard, and that is told', () => {
    const b = bench()
    b.beat('n2', 7)
    b.beat('n2', 7, { answered: false })
    b.beat('n2', 7, { answered: false })
    b.beat('n2', 7)
    expect(b.take()).toEqual([heard('n2', 7), heard('n2', 7, false), heard('n2', 7)])
  })

  test('another session of a peer is told as such', () => {
    const b = bench()
    b.beat('n2', 7)
    b.beat('n2', 9)
    expect(b.take()).toEqual([heard('n2', 7), heard('n2', 9)])
  })

  test('without a session nothing is told; on the next one everything that is so now', () => {
    const b = bench()
    b.beat('n2', 7)
    b.beat('n3', 8)
    b.take()
    b.step({ type: 'disconnected' })
    b.advance(1_000, () => b.beat('n3', 8))
    expect(b.take()).toEqual([])
    b.connect()
    b.beat('n3', 8)
    // The control plane has not said yet whom we are to hear: it would not know what we speak of.
    expect(b.take()).toEqual([])
    b.table(['n2', 7], ['n3', 8])
    // n2 fell silent meanwhile: on this session nobody was told that it was heard.
    expect(b.take()).toEqual([heard('n3', 8)])
    b.advance(1_000, () => b.beat('n3', 8))
    expect(b.take()).toEqual([])
  })

  test('who is no peer any more is forgotten', () => {
    const b = bench()
    b.beat('n2', 7)
    b.take()
    b.table(['n3', 8])
    expect(b.beat('n2', 7)).toBe('unknownSender')
    b.advance(2_000)
    expect(b.take()).toEqual([])
  })
})

describe('S-17: what is old is worth nothing', () => {
  test('the same beat again, an earlier one, one of an earlier session', () => {
    const b = bench()
    expect(b.beat('n2', 7, { counter: 5 })).toBeNull()
    expect(b.beat('n2', 7, { counter: 5 })).toBe('replayed')
    expect(b.beat('n2', 7, { counter: 4 })).toBe('replayed')
    expect(b.beat('n2', 9, { counter: 6 })).toBeNull()
    expect(b.beat('n2', 7, { counter: 100 })).toBe('replayed')
    // Known from the table, before anything was heard.
    expect(b.beat('n3', 6, { counter: 1 })).toBe('replayed')
    expect(b.beat('n3', 8, { counter: 1 })).toBeNull()
  })

  test('replayed beats keep nobody alive', () => {
    const b = bench()
    b.beat('n2', 7, { counter: 50 })
    b.take()
    b.advance(1_000, () => b.beat('n2', 7, { counter: 50 }))
    expect(b.take()).toMatchObject([{ t: 'peerSilent', nodeId: 'n2' }])
  })
})

describe('a node that stood still itself', () => {
  test('blames nobody for what it could not hear', () => {
    const b = bench()
    b.advance(1_000, () => b.beat('n2', 7))
    b.take()
    b.nowMs += 30_000
    b.step({ type: 'tick' })
    expect(b.take()).toEqual([])
    // It is heard again, or it is not: from now on that counts.
    b.advance(200)
    expect(b.take()).toEqual([])
    b.advance(200)
    expect(b.take()).toMatchObject([{ t: 'peerSilent', nodeId: 'n2' }])
  })

  test('finds out: a gap much larger than between two looks', () => {
    expect(stoodStillMs(0, 200, 200)).toBe(0)
    expect(stoodStillMs(0, 3_900, 3_000)).toBe(0)
    expect(stoodStillMs(500, 5_000, 300)).toBe(4_200)
  })
})

test('S-17: in every profile silence is noticed well before a node is suspected', () => {
  for (const t of Object.values(PROFILES)) {
    expect(peerSilentMs(t)).toBeGreaterThanOrEqual(3 * peerBeatMs(t))
    expect(peerSilentMs(t)).toBeLessThan(t.ttlMs / 2)
  }
})

test('a new key is listened for at once, and sent with once everybody surely has it', () => {
  const keys = new PeerKeys()
  const peer = (...ids: number[]): Peer => ({
    ...{ nodeId: 'n2', session: 1, address: '10.0.0.2', port: 1 },
    keys: ids.map((id) => ({ id, key: `k${id}` })),
  })
  keys.learn([peer(1)], 0)
  expect(keys.toSendWith(peer(1), 0).id).toBe(1)
  keys.learn([peer(1, 2)], 1_000_000)
  expect(keys.toSendWith(peer(1, 2), 1_000_000).id).toBe(1)
  expect(keys.toSendWith(peer(1, 2), 999_999 + LIMITS.peerKeyOverlapMs).id).toBe(1)
  expect(keys.toSendWith(peer(1, 2), 1_000_000 + LIMITS.peerKeyOverlapMs).id).toBe(2)
  // One that begins in the middle sends with what all others have for sure.
  const late = new PeerKeys()
  late.learn([peer(1, 2)], 5_000)
  expect(late.toSendWith(peer(1, 2), 5_000).id).toBe(1)
})

describe('--peers', () => {
  test.each([
    ['auto', { off: false, address: null, port: 0 }],
    ['off', { off: true }],
    ['10.0.0.5', { off: false, address: '10.0.0.5', port: 0 }],
    ['10.0.0.5:7400', { off: false, address: '10.0.0.5', port: 7_400 }],
    [':7400', { off: false, address: null, port: 7_400 }],
    ['fd00::5', { off: false, address: 'fd00::5', port: 0 }],
    ['[fd00::5]:7400', { off: false, address: 'fd00::5', port: 7_400 }],
  ])('%s', (text, listen) => expect(parsePeerListen(text)).toEqual(listen))

  test.each([
    '',
    'eth0',
    'example.org:7400',
    '10.0.0.5:',
    '10.0.0.5:0',
    '10.0.0.5:65536',
    '10.0.0.256',
    '[10.0.0.5]:7400',
    'on',
  ])('refused: "%s"', (text) =>
    expect(() => parsePeerListen(text)).toThrow(/nowhere to listen for peers/),
  )
})
