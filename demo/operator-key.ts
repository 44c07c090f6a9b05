/** The organisation of this machine and the key of its operator, in D1. */
import { randomUUID } from 'node:crypto'
import type { Miniflare } from 'miniflare'
import { PREFIX_LENGTH, sha256 } from '../worker/secrets.ts'

export type Database = Awaited<ReturnType<Miniflare['getD1Database']>>

const EVERYTHING = JSON.stringify([{ role: 'admin', cluster: null }])

/**
 * Made where they are missing. The key in the file is the operator's: another one that was there before
 * is no longer valid, so that a file that was lost or seen by others is simply removed.
 */
export async function addOperator(db: Database, key: string): Promise<void> {
  const nowMs = Date.now()
  const [hash, prefix] = [await sha256(key), key.slice(0, PREFIX_LENGTH)]
  const known = await db
    .prepare('SELECT prefix FROM api_key_secrets WHERE hash = ?')
    .bind(hash)
    .first<{ prefix: string }>()
  if (known?.prefix === prefix) return
  if (known) {
    // Stored before beginnings were: it is found by its own from now on.
    await db
      .prepare('UPDATE api_key_secrets SET prefix = ? WHERE hash = ?')
      .bind(prefix, hash)
      .run()
    return
  }
  const operator =
    "SELECT id FROM api_keys WHERE name = 'operator' AND revoked_at_ms IS NULL AND organisation_id = (SELECT id FROM organisations WHERE name = 'default')"
  await db.batch([
    db
      .prepare(
        "INSERT INTO organisations (id, name, created_at_ms) VALUES (?, 'default', ?) ON CONFLICT DO NOTHING",
      )
      .bind(randomUUID(), nowMs),
    db
      .prepare(
        "INSERT INTO api_keys (id, organisation_id, name, scopes, created_at_ms, created_by) SELECT ?, id, 'operator', ?, ?, 'start' FROM organisations WHERE name = 'default' ON CONFLICT DO NOTHING",
      )
      .bind(randomUUID(), EVERYTHING, nowMs),
    db.prepare(`DELETE FROM api_key_secrets WHERE key_id = (${operator})`),
    db
      .prepare(
        `INSERT INTO api_key_secrets (prefix, key_id, hash, created_at_ms) VALUES (?, (${operator}), ?, ?)`,
      )
      .bind(prefix, hash, nowMs),
  ])
}
