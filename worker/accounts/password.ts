/**
 * Passwords as they are stored: scrypt, with salt and cost beside the hash, so that the cost can be raised. Of
 * node:crypto, which is native: in JavaScript one would take a Worker's whole time.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

/** 16 MB and five rounds: one of OWASP's recommended settings that fits a Worker's memory. */
const COST = { N: 2 ** 14, r: 8, p: 5 }
const [SALT_BYTES, HASH_BYTES] = [16, 32]
const MEMORY_MAX = 64 * 1024 * 1024
const STORED = /^scrypt\$(\d{1,8})\$(\d{1,3})\$(\d{1,3})\$([\w-]{22})\$([\w-]{43})$/

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const hash = await derived(password, salt, COST)
  const { N, r, p } = COST
  return ['scrypt', N, r, p, salt.toString('base64url'), hash.toString('base64url')].join('$')
}

/** In a time that does not tell where two hashes begin to differ. */
export async function isPassword(stored: string, password: string): Promise<boolean> {
  const found = STORED.exec(stored)
  if (!found) return false
  const [N = 0, r = 0, p = 0] = found.slice(1, 4).map(Number)
  const [salt = '', hash = ''] = found.slice(4)
  const made = await derived(password, Buffer.from(salt, 'base64url'), { N, r, p })
  return timingSafeEqual(made, Buffer.from(hash, 'base64url'))
}

/** What looks the same and is typed on another keyboard is the same. */
function derived(password: string, salt: Buffer, cost: typeof COST): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { ...cost, maxmem: MEMORY_MAX }
    scrypt(password.normalize('NFKC'), salt, HASH_BYTES, options, (error, hash) =>
      error ? reject(error) : resolve(hash),
    )
  })
}
