/** What the control plane of this machine needs for accounts of people: a secret, settings, and its first owner. */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from './operator-key.ts'

/** As the Worker reads them; see worker/env.d.ts. */
const SETTINGS = [
  ...(['SIGN_UP', 'PUBLIC_URL', 'MAIL', 'MAIL_WEBHOOK_TOKEN'] as const),
  ...(['OIDC_ISSUER', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'OIDC_NAME'] as const),
]
export type AccountSettings = {
  readonly [Name in (typeof SETTINGS)[number]]?: string | undefined
}

/** Those that the environment of this process says. */
export const settingsOf = (env: NodeJS.ProcessEnv): AccountSettings =>
  Object.fromEntries(SETTINGS.map((name) => [name, env[name]]))

const OWNER_LINK_MS = 24 * 3_600_000

/** A token that is good for a day: it says so itself, and is compared as a whole. */
export function newOwnerToken(nowMs: number): string {
  const untilSeconds = Math.floor((nowMs + OWNER_LINK_MS) / 1_000)
  return `hfo_${untilSeconds.toString(36)}_${randomBytes(24).toString('base64url')}`
}

/** Made once, kept with the state, readable by its owner: whoever has it can make what people are mailed. */
export function readAuthSecret(folder: string): string {
  const path = join(folder, 'auth-secret')
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    const secret = randomBytes(32).toString('base64url')
    writeFileSync(path, secret, { mode: 0o600 })
    return secret
  }
}

/** Whether the organisation of this machine has an owner: then nobody is to become it by a link. */
export async function hasOwner(db: Database): Promise<boolean> {
  const owner = await db
    .prepare(
      "SELECT 1 FROM members JOIN organisations ON organisations.id = members.organisation_id WHERE members.role = 'owner' AND organisations.name = 'default'",
    )
    .first()
  return owner !== null
}
