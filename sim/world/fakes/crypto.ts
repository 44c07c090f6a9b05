/**
 * `node:crypto`, with signatures and MACs that cost nothing: what is signed is told apart by a digest of
 * key and text. Digests themselves are the real ones. (Beats were a quarter of a simulation's time: a
 * key object for each.)
 */
import { createHash, hash } from 'node:crypto'

export { createHash, timingSafeEqual } from 'node:crypto'

type Encoding = 'base64url' | 'hex'

export function createHmac(_: string, key: string | Buffer) {
  const parts = [Buffer.from(key)]
  const mac = {
    update(part: string | Buffer) {
      parts.push(Buffer.from(part))
      return mac
    },
    digest(encoding?: Encoding): string | Buffer {
      const all = Buffer.concat(parts)
      return encoding ? hash('sha256', all, encoding) : hash('sha256', all, 'buffer')
    },
  }
  return mac
}

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
