/**
 * What people change about themselves, sent again with its Idempotency-Key: it is answered as it was. The answer is kept
 * right after what it tells of, sealed with the session that it was given to; whatever dies in between leaves one of them that
 * cannot be done twice, since names, tokens and passwords are used up by the first.
 */
import type { Context } from 'hono'
import { takesIdempotencyKey } from '../schema/api/route-errors.ts'
import type { RouteName } from '../schema/api/routes.ts'
import { HoldfastError } from '../schema/errors.ts'
import { AccountWrites } from './account-writes.ts'
import type { Admitted } from './admission.ts'
import { onceOf, replayed, writeOf } from './carry-out.ts'
import type { Bindings } from './requests.ts'
import type { Write } from './write.ts'

/** Of no organisation: answers are kept of whoever asks. */
const NOWHERE = ''

interface Kept {
  readonly write: Write
  /** Null: it is the first. */
  readonly replayed: Response | null
  /** Has what it is answered kept. */
  keep(body: unknown): Promise<void>
}

/** @throws {HoldfastError} BAD_REQUEST, IDEMPOTENCY_KEY_REUSED */
export async function personalWrite(
  c: Context<Bindings>,
  name: RouteName,
  { person, secret }: Admitted,
): Promise<Kept> {
  const write = writeOf(c, name, { kind: 'joinToken', id: '', name: 'join token' })
  const once = person && takesIdempotencyKey(name) ? await onceOf(c, person.id) : null
  if (!once || !secret) return { write, replayed: null, keep: async () => {} }
  const answers = new AccountWrites(c.env.DB, NOWHERE, secret)
  const said = { ...write, once }
  const before = await answers.begin(said)
  if (before && 'refused' in before) throw new HoldfastError(before.refused)
  return {
    write,
    replayed: before ? replayed(before.answer) : null,
    keep: (body) => answers.keep(said, body),
  }
}
