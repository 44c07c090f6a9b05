/**
 * Texts in D1 that only who presents the same API key can have back. Answers may hold secrets that are
 * shown once, and of those the database has hashes only: a copy of it tells none of them.
 */

const IV_BYTES = 12

/** @param purpose a name that is used for one text only */
export async function sealedWith(secret: string, purpose: string, text: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const key = await keyFrom(secret, purpose)
  const bytes = new TextEncoder().encode(text)
  const data = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, bytes)
  return Buffer.concat([iv, new Uint8Array(data)]).toString('base64')
}

/** @returns null: it was sealed with another secret */
export async function opened(
  secret: string,
  purpose: string,
  sealed: string,
): Promise<string | null> {
  const bytes = Buffer.from(sealed, 'base64')
  const [iv, data] = [bytes.subarray(0, IV_BYTES), bytes.subarray(IV_BYTES)]
  const key = await keyFrom(secret, purpose)
  try {
    return new TextDecoder().decode(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, data))
  } catch {
    return null
  }
}

async function keyFrom(secret: string, purpose: string): Promise<CryptoKey> {
  const bytes = (text: string) => new TextEncoder().encode(text)
  const base = await crypto.subtle.importKey('raw', bytes(secret), 'HKDF', false, ['deriveKey'])
  return crypto.subtle.deriveKey(
    {
      ...{ name: 'HKDF', hash: 'SHA-256', salt: bytes(purpose) },
      info: bytes('answers of Holdfast'),
    },
    base,
    { name: 'AES-GCM', length: 256 },
    false,
    ['encrypt', 'decrypt'],
  )
}
