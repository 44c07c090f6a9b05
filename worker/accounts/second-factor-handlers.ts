/** What somebody does about the second factor of their account. */
import type * as z from 'zod'
import type * as a from '../../schema/api/accounts.ts'
import { HoldfastError } from '../../schema/errors.ts'
import type { Call } from '../calls.ts'
import { countTry } from './attempts.ts'
import { isPasswordOf } from './logins.ts'
import { tellOfPerson, tellOfRefusal } from './personal-audit.ts'
import { SecondFactors } from './second-factor.ts'
import { askingPerson } from './sessions.ts'
import { requireSecret } from './setting.ts'

export const secondFactorHandlers = {
  beginSecondFactor: async (call: Call<z.output<typeof a.beginSecondFactor>>) => {
    const { id, email } = askingPerson(call)
    const factors = factorsOf(call)
    await requirePassword(call, call.body.password)
    return factors.begin(id, email)
  },

  confirmSecondFactor: async (call: Call<z.output<typeof a.confirmSecondFactor>>) => {
    const person = askingPerson(call)
    const told = () => tellOfPerson(call, person, 'addSecondFactor')
    const recoveryCodes = await toldIfRefused(call, () =>
      factorsOf(call).confirm(person.id, call.body.code, told),
    )
    return { recoveryCodes }
  },

  removeSecondFactor: async (call: Call<z.output<typeof a.removeSecondFactor>>) => {
    const person = askingPerson(call)
    const factors = factorsOf(call)
    await requirePassword(call, call.body.password)
    const row = await factors.of(person.id)
    if (row) await toldIfRefused(call, () => factors.take(row, call.body.code, 'FORBIDDEN'))
    await tellOfPerson(call, person, 'removeSecondFactor')
    await factors.remove(person.id)
    return {}
  },
}

/** Also a wrong code: whoever has only found a session tries some. */
async function toldIfRefused<T>(call: Call<unknown>, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    tellOfRefusal(call, askingPerson(call).email, error)
    throw error
  }
}

const factorsOf = ({ env }: Pick<Call, 'env'>) => new SecondFactors(env.DB, requireSecret(env))

/** Whoever has found a session alone neither adds a factor, which would lock its person out, nor takes one away. */
async function requirePassword(call: Call<unknown>, password: string): Promise<void> {
  const { env, asker } = call
  const { id, email } = askingPerson(call)
  await countTry(env.DB, asker.address, email)
  if (await isPasswordOf(env.DB, id, password)) return
  const refused = new HoldfastError({
    ...{ code: 'FORBIDDEN', message: 'the password is another one' },
    why: 'A session alone does not change how somebody gets in.',
    remedy: 'Give the one that you log in with; who has none gets one: holdfast account forgot',
  })
  tellOfRefusal(call, email, refused)
  throw refused
}
