/** S-17: a beat on the wire. What is not a genuine beat of this cluster for this node changes nothing. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type BeatPacket,
  encodeBeat,
  isGenuine,
  PACKET_BYTES,
  readBeat,
} from '../../probe/agent/peer-packet.ts'

const key = () => randomBytes(32).toString('base64url')
const number = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const beat: fc.Arbitrary<BeatPacket> = fc.record({
  keyId: fc.integer({ min: 1, max: 0xffff_ffff }),
  clusterId: fc.uuid(),
  sender: fc.uuid(),
  receiver: fc.uuid(),
  senderSession: number,
  receiverSession: number,
  counter: number,
  answered: fc.boolean(),
})

describe('a beat', () => {
  test('is read as it was written, and is genuine by its key alone', () => {
    const [right, wrong] = [key(), key()]
    fc.assert(
      fc.property(beat, (b) => {
        const packet = encodeBeat(b, right)
        expect(packet).toHaveLength(PACKET_BYTES)
        expect(readBeat(packet)).toEqual(b)
        expect(isGenuine(packet, right)).toBe(true)
        expect(isGenuine(packet, wrong)).toBe(false)
      }),
    )
  })

  test('with any bit changed is none, or not genuine', () => {
    const right = key()
    fc.assert(
      fc.property(beat, fc.integer({ min: 0, max: PACKET_BYTES * 8 - 1 }), (b, bit) => {
        const packet = encodeBeat(b, right)
        packet[bit >> 3] = (packet[bit >> 3] as number) ^ (1 << (bit & 7))
        expect(readBeat(packet) !== null && isGenuine(packet, right)).toBe(false)
      }),
    )
  })

  test('says the same in every byte that is signed: two beats never share a packet', () => {
    const right = key()
    fc.assert(
      fc.property(beat, beat, (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b))
        expect(encodeBeat(a, right).equals(encodeBeat(b, right))).toBe(false)
      }),
    )
  })
})

describe('what is none', () => {
  test('any bytes: no crash, and null unless all is right', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        const read = readBeat(Buffer.from(bytes))
        if (bytes.length !== PACKET_BYTES) expect(read).toBeNull()
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([
    ['too short', (p: Buffer) => p.subarray(0, PACKET_BYTES - 1)],
    ['too long', (p: Buffer) => Buffer.concat([p, Buffer.from([0])])],
    ['huge', () => Buffer.alloc(65_507, 0x48)],
    ['empty', () => Buffer.alloc(0)],
    ['another magic', (p: Buffer) => p.fill('XX', 0, 2)],
    ['another version', (p: Buffer) => p.fill(2, 2, 3)],
    ['unknown flags', (p: Buffer) => p.fill(2, 3, 4)],
    ['session 0', (p: Buffer) => p.fill(0, 56, 64)],
    ['a session beyond all numbers', (p: Buffer) => p.fill(0xff, 64, 72)],
    ['counter 0', (p: Buffer) => p.fill(0, 72, 80)],
  ])('%s', (_what, change) => {
    const fine = encodeBeat(
      {
        keyId: 1,
        clusterId: crypto.randomUUID(),
        sender: crypto.randomUUID(),
        receiver: crypto.randomUUID(),
        senderSession: 1,
        receiverSession: 2,
        counter: 3,
        answered: true,
      },
      key(),
    )
    expect(readBeat(fine)).not.toBeNull()
    expect(readBeat(change(fine))).toBeNull()
  })
})
