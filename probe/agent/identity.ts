import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { HoldfastError } from '../../schema/errors.ts'
import { writeDurably } from '../host/durable.ts'

const identityFile = z.strictObject({
  nodeId: z.string(),
  nodeName: z.string(),
  clusterId: z.string(),
  clusterName: z.string(),
  /** Base address of the control plane. */
  url: z.string(),
  sessionPath: z.string(),
})
export type IdentityFile = z.infer<typeof identityFile>

/** Who this host is in its cluster: an Ed25519 key made here, which never leaves. */
export class Identity {
  readonly file: IdentityFile
  readonly #key: KeyObject
  readonly #attemptPath: string
  #lastAttempt = 0

  constructor(folder: string) {
    this.file = readIdentity(folder)
    this.#key = createPrivateKey(readFileSync(join(folder, 'identity.key')))
    this.#attemptPath = join(folder, 'attempt')
  }

  sign(text: string): string {
    return sign(null, Buffer.from(text), this.#key).toString('base64url')
  }

  /** A number that only grows, whatever the wall clock does: no request to connect is used twice. */
  nextAttempt(): number {
    let last = this.#lastAttempt
    try {
      last = Math.max(last, Number(readFileSync(this.#attemptPath, 'utf8')) || 0)
    } catch {
      // The first one.
    }
    const next = Math.max(last + 1, Date.now())
    this.#noteAttempt(next)
    return next
  }

  /** The control plane has seen a higher one: this host lost its count, and its clock is behind. */
  attemptSeen(last: number): void {
    if (last > this.#lastAttempt) this.#noteAttempt(last)
  }

  #noteAttempt(next: number): void {
    this.#lastAttempt = next
    try {
      writeFileSync(`${this.#attemptPath}.new`, String(next), { mode: 0o600 })
      renameSync(`${this.#attemptPath}.new`, this.#attemptPath)
    } catch {
      // A full disk must not cost the lease. The clock makes the next number larger all the same.
    }
  }
}

/** @throws {HoldfastError} NOT_JOINED, or STATE_FOLDER when it is there and cannot be used */
export function readIdentity(folder: string): IdentityFile {
  const path = join(folder, 'identity.json')
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw damaged(path, cause)
    throw new HoldfastError(
      {
        code: 'NOT_JOINED',
        message: 'this host has not joined a cluster',
        why: `there is no identity in ${folder}`,
        remedy: 'Join it first: holdfast-probe join --url https://… < token',
      },
      { cause },
    )
  }
  try {
    return identityFile.parse(JSON.parse(text))
  } catch (cause) {
    throw damaged(path, cause)
  }
}

const damaged = (path: string, cause: unknown) =>
  new HoldfastError(
    {
      code: 'STATE_FOLDER',
      message: `${path} cannot be used`,
      why: (cause as Error).message.slice(0, 200),
      remedy: 'Restore it, or remove the node from the cluster and join this host anew.',
    },
    { cause: cause as Error },
  )

/**
 * The host's key, made when there is none: one that is there and damaged is not replaced.
 *
 * @returns the public half, base64url
 * @throws {HoldfastError} STATE_FOLDER
 */
export function makeKey(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, 'identity.key')
  let key: KeyObject
  try {
    key = createPrivateKey(readFileSync(path))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw damaged(path, cause)
    key = generateKeyPairSync('ed25519').privateKey
    writeDurably(path, key.export({ type: 'pkcs8', format: 'pem' }).toString())
  }
  return (key.export({ format: 'jwk' }) as { x: string }).x
}

export function writeIdentity(folder: string, file: IdentityFile): void {
  writeDurably(join(folder, 'identity.json'), JSON.stringify(file, null, 2))
}
