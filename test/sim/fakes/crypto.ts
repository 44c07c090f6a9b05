/**
 * `node:crypto`, with signatures that cost nothing: what is signed is told apart by a digest of key
 * and text. Digests themselves are the real ones.
 */
import { createHash } from 'node:crypto'

export { createHash, createHmac, timingSafeEqual } from 'node:crypto'

interface Key {
  readonly id: string
}

const digest = (id: string, text: string | Buffer) =>
  createHash('sha256').update(id).update('\0').update(text).digest()

/** A private key is named by its file; the public one is made of that name. */
export const publicKeyOf = (privateKey: string) =>
  digest(privateKey, 'public').toString('base64url')

export const createPrivateKey = (text: string): Key => ({ id: publicKeyOf(text) })

export const createPublicKey = ({ key }: { key: { x: string } }): Key => ({ id: key.x })

export const sign = (_: null, text: Buffer, key: Key): Buffer => digest(key.id, text)

export const verify = (_: null, text: Buffer, key: Key, signature: Buffer): boolean =>
  digest(key.id, text).equals(signature)

/** Of the same chance as everything else: up to 32 bytes. */
export const randomBytes = (size: number): Buffer => digest('bytes', randomUUID()).subarray(0, size)

export const randomUUID = (): string => globalThis.crypto.randomUUID()

export function generateKeyPairSync(): never {
  throw new Error('a simulated host has its key from the beginning')
}
