import { createHash, timingSafeEqual } from 'node:crypto'

/** So many characters of a key are shown, logged and searched by: they are no secret. */
export const PREFIX_LENGTH = 12

/** 40 random characters behind what says that it is ours: the first 8 name it, 192 bits are secret. */
export function newKey(): { key: string; prefix: string } {
  const key = `hfk_${randomText(30)}`
  return { key, prefix: key.slice(0, PREFIX_LENGTH) }
}

export const newToken = (): string => `hfj_${randomText(24)}`

/** Of an invitation, also of one's own: what somebody is sent who signs up. */
export const newInvitationToken = (): string => `hfi_${randomText(24)}`

const SESSION = 'hfs_'
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const SESSION_LENGTH = 32

/** As better-auth makes its own, so that either's are sessions to both: 190 bits. */
export function newSessionToken(): { presented: string; token: string } {
  let token = ''
  // Bytes above the last whole round of letters would make some letters likelier than others.
  while (token.length < SESSION_LENGTH)
    for (const byte of crypto.getRandomValues(new Uint8Array(SESSION_LENGTH)))
      if (byte < 4 * LETTERS.length && token.length < SESSION_LENGTH)
        token += LETTERS[byte % LETTERS.length]
  return { presented: presentedSession(token), token }
}

/** How it is shown: by its beginning scanners for secrets find it. */
export const presentedSession = (token: string): string => `${SESSION}${token}`
export const tokenOfSession = (presented: string): string => presented.slice(SESSION.length)

/** Hex. Of node:crypto, which does it at once: WebCrypto hands it to another thread, with each call of the API. */
export const sha256 = async (text: string): Promise<string> =>
  createHash('sha256').update(text).digest('hex')

/** In a time that does not tell where two hashes begin to differ. */
export function sameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'hex'), Buffer.from(b, 'hex')]
  return left.length === right.length && timingSafeEqual(left, right)
}

/** @param bytes a multiple of 3, so that there is no padding */
function randomText(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('base64url')
}
