/** better-auth for one call, loaded when it is needed. */

import type { Call } from '../calls.ts'
import { tokenOfSession } from '../secrets.ts'
import type { AuthParts } from './better-auth.ts'
import { mailing, requireMailer } from './mail.ts'
import { publicUrl, requireSecret } from './setting.ts'

/** A token for a new password begins so. */
export const RESET = 'hfr_'

/** @throws {HoldfastError} UNAVAILABLE */
export async function authOf(
  call: Pick<Call, 'env' | 'url' | 'asker' | 'later' | 'presented'>,
  reset: AuthParts['reset'] = async () => {},
) {
  const { env, asker, later, presented } = call
  const secret = requireSecret(env)
  // Of links that it makes none is used: those in mails are made here.
  const url = new URL(call.url).origin
  const { makeAuth, codeOf } = await import('./better-auth.ts')
  const { api } = makeAuth({
    ...{ env, secret, url, asker, later, reset },
    forgotten: (to, token) => {
      const at = publicUrl(env, call.url)
      const text = `Somebody, probably you, wants a new password for ${to} at ${at}.\n\nChoose one within an hour:\n${at}/account#reset=${RESET}${token}\n\nIf it was not you, nothing has to be done.\n`
      return mailing(requireMailer(env), { to, subject: 'A new password for Holdfast', text })
    },
  })
  // Of a call nothing else is handed on: no cookie and no header of the caller's.
  const headers = new Headers()
  if (presented) headers.set('authorization', `Bearer ${tokenOfSession(presented)}`)
  return { api, headers, codeOf }
}
