/**
 * What people do about their own account (logins, passwords, second factors, sessions) is told in the audit log of each
 * organisation that they belong to: whoever answers for an organisation has to know how its members get in.
 */
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { HoldfastError } from '../../schema/errors.ts'
import { members, persons } from '../../schema/tables/accounts.ts'
import { AccountWrites } from '../account-writes.ts'
import type { Changed } from '../audit.ts'
import type { Call } from '../calls.ts'

interface Somebody {
  readonly id: string
  readonly email: string
}

type Asks = Pick<Call, 'env' | 'write' | 'later'>

/** Before it is done: what cannot be told is not done. */
export async function tellOfPerson(
  call: Pick<Asks, 'env' | 'write'>,
  person: Somebody,
  action: string,
  changes: readonly Changed[] = [],
): Promise<void> {
  const told = { action, about: about(person), asked: {}, changes }
  for (const { chain, write } of await chainsOf(call, person))
    await chain.commit(write, told, {}, [])
}

/**
 * Somebody was not let in who named an account that there is. Told behind the answer, so that how long that
 * takes says nothing of whether there is one; and of each account only so often (`LIMITS.auditLoginRefusalsPerHour`).
 */
export function tellOfRefusal(call: Asks, email: string, error: unknown): void {
  if (!(error instanceof HoldfastError)) return
  const { refusal } = error
  const tell = async () => {
    const db = drizzle(call.env.DB)
    const shown = { id: persons.id, email: persons.email }
    const person = await db.select(shown).from(persons).where(eq(persons.email, email)).get()
    if (!person) return
    for (const { chain, write } of await chainsOf(call, person)) await chain.refused(write, refusal)
  }
  call.later(tell().catch(() => {}))
}

const about = ({ id, email }: Somebody) => ({ kind: 'person', id, name: email })

async function chainsOf({ env, write }: Pick<Asks, 'env' | 'write'>, person: Somebody) {
  const rows = await drizzle(env.DB)
    .select({ id: members.organisationId })
    .from(members)
    .where(eq(members.personId, person.id))
    .all()
  const who = { kind: 'person' as const, id: person.id, name: person.email }
  const theirs = { ...write, who, about: about(person), once: null }
  return rows.map(({ id }) => ({ chain: new AccountWrites(env.DB, id, ''), write: theirs }))
}
