/** better-auth keeps what it hands out as it is; here the database has the hash of it alone. */
import type { BetterAuthOptions } from 'better-auth'
import type { DBAdapter, Where } from 'better-auth/adapters'
import { sha256 } from '../secrets.ts'

/** Which field of which model is a secret of whoever it was given to. */
const SECRETS: Readonly<Record<string, string>> = { session: 'token', deviceCode: 'deviceCode' }

type Row = Record<string, unknown>

/**
 * Between better-auth and its adapter. A secret is hashed on its way down, and what is found by it or made with it
 * comes back with it; of anything found otherwise better-auth sees the hash, which is good for nothing.
 */
export const hashingTokens =
  (make: (options: BetterAuthOptions) => DBAdapter) =>
  (options: BetterAuthOptions): DBAdapter => {
    const inner = make(options)
    const wrapped: DBAdapter = {
      ...inner,
      create: (async ({ model, data, ...more }: { model: string; data: Row }) => {
        const field = SECRETS[model]
        const secret = field && data[field]
        if (!field || typeof secret !== 'string') return inner.create({ model, data, ...more })
        const stored = { ...data, [field]: await sha256(secret) }
        return { ...(await inner.create<Row>({ model, data: stored, ...more })), [field]: secret }
      }) as DBAdapter['create'],
      findOne: (async (ask: Ask) => {
        const found = await inner.findOne<Row>(await hashed(ask))
        const field = SECRETS[ask.model]
        const secret = ask.where.find((one) => one.field === field)?.value
        return found && field && typeof secret === 'string' ? { ...found, [field]: secret } : found
      }) as DBAdapter['findOne'],
      findMany: async (ask) => inner.findMany(ask.where ? await hashed(ask as Ask) : ask),
      count: async (ask) => inner.count(ask.where ? await hashed(ask as Ask) : ask),
      update: async (ask) => inner.update(await hashed(ask)),
      updateMany: async (ask) => inner.updateMany(await hashed(ask)),
      delete: async (ask) => inner.delete(await hashed(ask)),
      deleteMany: async (ask) => inner.deleteMany(await hashed(ask)),
      consumeOne: async (ask) => inner.consumeOne(await hashed(ask)),
      incrementOne: async (ask) => inner.incrementOne(await hashed(ask)),
      // D1 has none: each statement is one by itself.
      transaction: (work) => work(wrapped),
    }
    return wrapped
  }

interface Ask {
  model: string
  where: Where[]
}

async function hashed<A extends Ask>(ask: A): Promise<A> {
  const field = SECRETS[ask.model]
  if (!field) return ask
  const one = async (where: Where): Promise<Where> => {
    const { value } = where
    if (where.field !== field) return where
    if (typeof value === 'string') return { ...where, value: await sha256(value) }
    if (!Array.isArray(value)) return where
    return { ...where, value: await Promise.all(value.map((each) => sha256(String(each)))) }
  }
  return { ...ask, where: await Promise.all(ask.where.map(one)) }
}
