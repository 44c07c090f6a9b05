/**
 * A beat on the wire (S-17): 96 bytes, all of them covered by the HMAC at their end. It binds cluster,
 * sender, receiver and both their sessions, and a counter, so that it is worth nothing anywhere else,
 * to anybody else, or a second time.
 *
 *     0  'HF', version 1, flags (1: answered)    4  key id      8  cluster id    24  sender id
 *    40  receiver id    56  session of the sender    64  session of the receiver    72  counter
 *    80  HMAC-SHA256, its first 16 bytes
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

export interface BeatPacket {
  readonly keyId: number
  readonly clusterId: string
  readonly sender: string
  readonly receiver: string
  readonly senderSession: number
  /** The receiver's session, as the sender knows it. */
  readonly receiverSession: number
  readonly counter: number
  readonly answered: boolean
}

export const PACKET_BYTES = 96
const SIGNED_BYTES = 80
const HEAD = Buffer.from('HF\u0001', 'latin1')
const ANSWERED = 1

/** @param key of the pair, base64url */
export function encodeBeat(beat: BeatPacket, key: string): Buffer {
  const packet = Buffer.alloc(PACKET_BYTES)
  HEAD.copy(packet)
  packet[3] = beat.answered ? ANSWERED : 0
  packet.writeUInt32BE(beat.keyId, 4)
  writeGuid(packet, beat.clusterId, 8)
  writeGuid(packet, beat.sender, 24)
  writeGuid(packet, beat.receiver, 40)
  packet.writeBigUInt64BE(BigInt(beat.senderSession), 56)
  packet.writeBigUInt64BE(BigInt(beat.receiverSession), 64)
  packet.writeBigUInt64BE(BigInt(beat.counter), 72)
  mac(packet, key).copy(packet, SIGNED_BYTES)
  return packet
}

/** What it says, before anybody believes it; null when it is no beat at all. */
export function readBeat(packet: Buffer): BeatPacket | null {
  if (packet.length !== PACKET_BYTES || !packet.subarray(0, 3).equals(HEAD)) return null
  const flags = packet[3] as number
  const [senderSession, receiverSession, counter] = [56, 64, 72].map((at) => readInt(packet, at))
  if (flags > ANSWERED || !senderSession || !receiverSession || !counter) return null
  return {
    keyId: packet.readUInt32BE(4),
    clusterId: readGuid(packet, 8),
    sender: readGuid(packet, 24),
    receiver: readGuid(packet, 40),
    senderSession,
    receiverSession,
    counter,
    answered: flags === ANSWERED,
  }
}

export function isGenuine(packet: Buffer, key: string): boolean {
  return timingSafeEqual(packet.subarray(SIGNED_BYTES), mac(packet, key))
}

function mac(packet: Buffer, key: string): Buffer {
  return createHmac('sha256', Buffer.from(key, 'base64url'))
    .update(packet.subarray(0, SIGNED_BYTES))
    .digest()
    .subarray(0, PACKET_BYTES - SIGNED_BYTES)
}

function writeGuid(packet: Buffer, guid: string, at: number): void {
  packet.write(guid.replaceAll('-', ''), at, 16, 'hex')
}

function readGuid(packet: Buffer, at: number): string {
  const hex = packet.toString('hex', at, at + 16)
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** 0 for what no number of ours can be. */
function readInt(packet: Buffer, at: number): number {
  const value = packet.readBigUInt64BE(at)
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : 0
}
