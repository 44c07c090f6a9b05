/**
 * A second factor beside the password: codes that an app makes of a secret and the time (TOTP, RFC 6238), each good
 * once, and recovery codes for who has lost it. The secret is sealed in D1: a copy of the database makes no codes.
 */
import { base32 } from '@better-auth/utils/base32'
import { createOTP } from '@better-auth/utils/otp'
import { and, eq, isNull, lt, sql } from 'drizzle-orm'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import { HoldfastError } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'
import { secondFactors } from '../../schema/tables/accounts.ts'
import { opened, sealedWith } from '../sealing.ts'
import { sameHash, sha256 } from '../secrets.ts'
import { countCode } from './attempts.ts'

/** What RFC 6238 and every app have: a code is good for half a minute, by clocks that may be half a minute apart. */
const STEP_MS = 30_000
const STEPS_APART = [-1, 0, 1]
const [SECRET_BYTES, RECOVERY_CHARACTERS] = [20, 10]

type Row = typeof secondFactors.$inferSelect

export class SecondFactors {
  readonly #d1: D1Database
  readonly #db: DrizzleD1Database
  readonly #secret: string

  /** @param secret AUTH_SECRET, which seals */
  constructor(d1: D1Database, secret: string) {
    this.#d1 = d1
    this.#db = drizzle(d1)
    this.#secret = secret
  }

  /** @returns null: this person has none that is asked for */
  async of(personId: string): Promise<Row | null> {
    const row = await this.#row(personId)
    return row?.confirmedAtMs == null ? null : row
  }

  /**
   * One that is not asked for before its first code; a begun one before it is forgotten.
   *
   * @throws {HoldfastError} SECOND_FACTOR_THERE
   */
  async begin(personId: string, email: string): Promise<{ secret: string; uri: string }> {
    const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES))
    const text = base32.encode(bytes, { padding: false })
    const sealed = await sealedWith(this.#secret, purpose(personId), text)
    const row = {
      ...{ personId, secret: sealed, confirmedAtMs: null, usedStep: 0, recovery: '[]' },
      createdAtMs: Date.now(),
    }
    const done = await this.#db
      .insert(secondFactors)
      .values(row)
      .onConflictDoUpdate({
        target: secondFactors.personId,
        set: row,
        setWhere: isNull(secondFactors.confirmedAtMs),
      })
      .returning({ personId: secondFactors.personId })
    if (done.length === 0)
      throw new HoldfastError({
        code: 'SECOND_FACTOR_THERE',
        message: 'your account has a second factor already',
      })
    return { secret: text, uri: createOTP(bytes).url('Holdfast', email) }
  }

  /**
   * From the first code on it is asked for.
   *
   * @param before when the code was right, and before that counts
   * @returns recovery codes, shown this once
   * @throws {HoldfastError} FORBIDDEN, RATE_LIMITED, SECOND_FACTOR_THERE
   */
  async confirm(
    personId: string,
    code: string,
    before: () => Promise<void> = async () => {},
  ): Promise<string[]> {
    const row = await this.#row(personId)
    if (!row)
      throw new HoldfastError({
        ...{ code: 'FORBIDDEN', message: 'no second factor was begun' },
        remedy: 'Begin with one: holdfast second-factor begin',
      })
    if (row.confirmedAtMs !== null)
      throw new HoldfastError({
        code: 'SECOND_FACTOR_THERE',
        message: 'your second factor is asked for already',
      })
    await countCode(this.#d1, personId)
    const step = await this.#stepOf(row, code)
    if (step === null) throw wrongCode('FORBIDDEN')
    await before()
    const codes = Array.from({ length: LIMITS.recoveryCodes }, newRecoveryCode)
    const recovery = JSON.stringify(await Promise.all(codes.map(sha256)))
    // Of what was looked at: one that was begun anew meanwhile has another secret.
    const same = and(
      ...[eq(secondFactors.personId, personId), eq(secondFactors.secret, row.secret)],
      isNull(secondFactors.confirmedAtMs),
    )
    const done = await this.#db
      .update(secondFactors)
      .set({ confirmedAtMs: Date.now(), usedStep: step, recovery })
      .where(same)
      .returning({ personId: secondFactors.personId })
    if (done.length === 0) throw wrongCode('FORBIDDEN')
    return codes.map((one) => `${one.slice(0, 5)}-${one.slice(5)}`)
  }

  /**
   * Takes a code, which is good for nothing afterwards.
   *
   * @param refusal what a wrong one is answered with
   * @throws {HoldfastError} that one, RATE_LIMITED
   */
  async take(row: Row, code: string, refusal: 'UNAUTHENTICATED' | 'FORBIDDEN'): Promise<void> {
    const { personId } = row
    await countCode(this.#d1, personId)
    const taken = /^\d{6}$/.test(code)
      ? await this.#takeStep(row, code)
      : await this.#takeRecovery(row, code)
    if (!taken) throw wrongCode(refusal)
  }

  async remove(personId: string): Promise<void> {
    await this.#db.delete(secondFactors).where(eq(secondFactors.personId, personId))
  }

  async #takeStep(row: Row, code: string): Promise<boolean> {
    const step = await this.#stepOf(row, code)
    if (step === null) return false
    const unused = and(eq(secondFactors.personId, row.personId), lt(secondFactors.usedStep, step))
    const done = await this.#db
      .update(secondFactors)
      .set({ usedStep: step })
      .where(unused)
      .returning({ personId: secondFactors.personId })
    return done.length === 1
  }

  async #takeRecovery(row: Row, code: string): Promise<boolean> {
    const hash = await sha256(code)
    const left = JSON.parse(row.recovery) as string[]
    // All are compared: how long it takes does not tell which it was like.
    const found = left.filter((one) => sameHash(one, hash))
    if (found.length === 0) return false
    const recovery = JSON.stringify(left.filter((one) => !found.includes(one)))
    // As it was looked at: of two that come in at once one is taken.
    const same = and(
      eq(secondFactors.personId, row.personId),
      sql`${secondFactors.recovery} = ${row.recovery}`,
    )
    const done = await this.#db
      .update(secondFactors)
      .set({ recovery })
      .where(same)
      .returning({ personId: secondFactors.personId })
    return done.length === 1
  }

  /** @returns the time step whose code it is; null: of none that is near */
  async #stepOf(row: Row, code: string): Promise<number | null> {
    const text = await opened(this.#secret, purpose(row.personId), row.secret)
    if (text === null)
      throw new HoldfastError({
        code: 'UNAVAILABLE',
        message: 'codes of this account cannot be checked',
        why: 'What they are made of was sealed with another AUTH_SECRET.',
        remedy: 'A recovery code is still good. Whoever runs it can give AUTH_SECRET back.',
      })
    const otp = createOTP(base32.decode(text))
    const now = Math.floor(Date.now() / STEP_MS)
    const codes = await Promise.all(
      STEPS_APART.map(async (apart) => ({
        step: now + apart,
        isIt: sameHash(await sha256(await otp.hotp(now + apart)), await sha256(code)),
      })),
    )
    return codes.find((one) => one.isIt)?.step ?? null
  }

  async #row(personId: string): Promise<Row | undefined> {
    const of = eq(secondFactors.personId, personId)
    return this.#db.select().from(secondFactors).where(of).get()
  }
}

const purpose = (personId: string) => `second factor of ${personId}`

/** 50 bits. */
const newRecoveryCode = (): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(RECOVERY_CHARACTERS))
  return base32.encode(bytes, { padding: false }).slice(0, RECOVERY_CHARACTERS)
}

export const codeNeeded = () =>
  new HoldfastError({
    code: 'SECOND_FACTOR_NEEDED',
    message: 'this account has a second factor',
    why: 'The password is right; a code is asked for as well.',
  })

const wrongCode = (code: 'UNAUTHENTICATED' | 'FORBIDDEN') =>
  new HoldfastError({
    ...{ code, message: 'this code is wrong, or was used before' },
    why: 'A code of the app is good once, for half a minute; a recovery code is good once.',
    remedy: 'Wait for the next one. If codes are never right, see whether the clocks are.',
  })
