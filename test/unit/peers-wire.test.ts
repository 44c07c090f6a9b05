/** S-17 on real sockets: two nodes that hear each other, and packets that are none of their business. */
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type BeatPacket, encodeBeat, readBeat } from '../../probe/agent/peer-packet.ts'
import { Peers } from '../../probe/agent/peers.ts'
import type { PeerReport } from '../../probe/core/peers.ts'
import type { PeerAddress } from '../../schema/session.ts'
import { PROFILES } from '../../schema/timing.ts'
import { eventually } from '../e2e/demo.ts'

const CLUSTER = crypto.randomUUID()
const key = () => randomBytes(32).toString('base64url')

type Told = PeerReport | { t: 'peerAddress'; listens: PeerAddress | null }

class Node {
  readonly id = crypto.randomUUID()
  readonly told: Told[] = []
  readonly log: string[] = []
  answered = true
  readonly peers: Peers

  constructor(port = 0) {
    this.peers = new Peers({
      clusterId: CLUSTER,
      nodeId: this.id,
      listen: { off: false, address: '127.0.0.1', port },
      answered: () => this.answered,
      tell: (frame) => this.told.push(frame),
      nameOf: (id) => id,
      log: (message) => this.log.push(message),
      changed: () => {},
    })
  }

  get at(): PeerAddress {
    const { listens } = this.peers.info()
    return listens ?? expect.fail('it does not listen')
  }

  get packets() {
    return this.peers.info().packets
  }

  reports = () => this.told.filter((frame) => frame.t !== 'peerAddress')
}

let [a, b] = [new Node(), new Node()]
let stranger: Socket
let pair = ''
beforeEach(async () => {
  ;[a, b] = [new Node(), new Node()]
  pair = key()
  stranger = createSocket('udp4')
  a.peers.welcomed(1, PROFILES.fast)
  b.peers.welcomed(2, PROFILES.fast)
  await eventually('both listen', () => a.told.length > 0 && b.told.length > 0)
})
afterEach(() => {
  for (const { peers } of [a, b]) peers.table({ t: 'peers', peers: [] })
  stranger.close()
})

/** The control plane tells them of each other. */
function introduce(): void {
  const keys = [{ id: 1, key: pair }]
  a.peers.table({ t: 'peers', peers: [{ nodeId: b.id, session: 2, ...b.at, keys }] })
  b.peers.table({ t: 'peers', peers: [{ nodeId: a.id, session: 1, ...a.at, keys }] })
}

const send = (packet: Buffer) =>
  new Promise<void>((done, failed) =>
    stranger.send(packet, a.at.port, a.at.address, (error) => (error ? failed(error) : done())),
  )

/** As b would say it, but for what is changed. */
const beatOf = (change: Partial<BeatPacket> = {}): BeatPacket => ({
  ...{ keyId: 1, clusterId: CLUSTER, sender: b.id, receiver: a.id },
  ...{ senderSession: 2, receiverSession: 1, counter: 1_000_000, answered: true },
  ...change,
})

test('they hear each other, tell it once, and each port is of one address alone', async () => {
  introduce()
  await eventually('heard', () => a.reports().length > 0 && b.reports().length > 0)
  expect(a.told[0]).toEqual({ t: 'peerAddress', listens: a.at })
  expect(a.reports()).toEqual([{ t: 'peerHeard', nodeId: b.id, session: 2, answered: true }])
  b.answered = false
  await eventually('it is not answered', () => a.reports().length === 2)
  expect(a.reports()[1]).toMatchObject({ t: 'peerHeard', answered: false })
  b.peers.table({ t: 'peers', peers: [] })
  await eventually('silent', () => a.reports().length === 3)
  expect(a.reports()[2]).toMatchObject({ t: 'peerSilent', nodeId: b.id, session: 2 })
  expect(JSON.stringify(a.peers.info())).not.toContain(pair)
})

test('forged, replayed, of another cluster, misdirected, malformed, oversized: counted, and nothing else', async () => {
  introduce()
  // Heard from a recording, so that b itself is out of it.
  b.peers.table({ t: 'peers', peers: [] })
  await send(encodeBeat(beatOf(), pair))
  await eventually('taken', () => a.reports().length === 1)
  const before = structuredClone(a.peers.info())
  const rubbish: [keyof typeof before.packets, Buffer][] = [
    ['forged', encodeBeat(beatOf({ counter: 2_000_000 }), key())],
    ['replayed', encodeBeat(beatOf(), pair)],
    ['replayed', encodeBeat(beatOf({ counter: 999_999 }), pair)],
    ['outdated', encodeBeat(beatOf({ counter: 2_000_000, receiverSession: 77 }), pair)],
    ['otherCluster', encodeBeat(beatOf({ clusterId: crypto.randomUUID() }), pair)],
    ['misdirected', encodeBeat(beatOf({ receiver: b.id }), pair)],
    ['unknownSender', encodeBeat(beatOf({ sender: crypto.randomUUID() }), pair)],
    ['unknownKey', encodeBeat(beatOf({ keyId: 9, counter: 2_000_000 }), pair)],
    ['malformed', Buffer.from('HELLO')],
    ['malformed', Buffer.alloc(60_000, 0x48)],
  ]
  for (const [counter, packet] of rubbish) {
    const count = a.packets[counter]
    await send(packet)
    await eventually(counter, () => a.packets[counter] === count + 1)
  }
  const after = a.peers.info()
  expect(after.packets).toMatchObject({
    ...{ taken: before.packets.taken, forged: 1, replayed: 2, outdated: 1, otherCluster: 1 },
    ...{ misdirected: 1, unknownSender: 1, unknownKey: 1, malformed: 2 },
  })
  expect(after.peers.map(({ lastBeatMs }) => lastBeatMs)).toEqual(
    before.peers.map(({ lastBeatMs }) => lastBeatMs),
  )
  // One line for all of it, at the next look; and nobody was kept alive by it.
  await eventually('silent', () => a.reports().length === 2)
  expect(a.reports()[1]).toMatchObject({ t: 'peerSilent' })
  expect(a.log.filter((line) => line.includes('foreign packets'))).toHaveLength(1)
})

test('a recording is worth nothing to the next agent on that host', async () => {
  introduce()
  await eventually('heard', () => a.reports().length > 0)
  const recorded = encodeBeat(beatOf(), pair)
  expect(readBeat(recorded)).not.toBeNull()
  // Another agent, with no memory of counters, on a session of its own.
  const again = new Peers({
    ...{ clusterId: CLUSTER, nodeId: a.id, answered: () => true, nameOf: (id: string) => id },
    listen: { off: false, address: '127.0.0.1', port: 0 },
    tell: () => {},
    log: () => {},
    changed: () => {},
  })
  again.welcomed(3, PROFILES.fast)
  await eventually('listens', () => again.info().listens)
  const keys = [{ id: 1, key: pair }]
  again.table({ t: 'peers', peers: [{ nodeId: b.id, session: 2, ...b.at, keys }] })
  const { address, port } = again.info().listens as PeerAddress
  stranger.send(recorded, port, address)
  await eventually('outdated', () => again.info().packets.outdated === 1)
  expect(again.info().packets.taken).toBe(0)
  again.table({ t: 'peers', peers: [] })
})

test('an address that is not ours, or a port that is taken: said, and all else goes on', async () => {
  const taken = new Node(a.at.port)
  taken.peers.welcomed(5, PROFILES.fast)
  await eventually('told', () => taken.told.length > 0)
  expect(taken.told).toEqual([{ t: 'peerAddress', listens: null }])
  expect(taken.peers.info().problem).toContain('EADDRINUSE')
  expect(taken.log).toHaveLength(1)
  // Again on each session, and said once.
  taken.peers.closed()
  taken.peers.welcomed(6, PROFILES.fast)
  await eventually('told again', () => taken.told.length === 2)
  expect(taken.log).toHaveLength(1)
})
