/** Mail is sent by somebody else: whoever runs the control plane says by whom. */
import { HoldfastError } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'

export interface Mail {
  readonly to: string
  readonly subject: string
  /** Plain text. */
  readonly text: string
}

export interface Mailer {
  /** @throws {Error} it was not taken */
  send(mail: Mail): Promise<void>
}

/** @returns null: none is configured, and nothing can be mailed */
export function mailerOf({ MAIL, MAIL_WEBHOOK_TOKEN }: Env): Mailer | null {
  if (!MAIL) return null
  return MAIL === 'console' ? consoleMailer : webhookMailer(MAIL, MAIL_WEBHOOK_TOKEN)
}

/** @throws {HoldfastError} UNAVAILABLE */
export function requireMailer(env: Env): Mailer {
  const mailer = mailerOf(env)
  if (mailer) return mailer
  throw new HoldfastError({
    code: 'UNAVAILABLE',
    message: 'this control plane sends no mail',
    why: 'No mail sender is configured (MAIL).',
    remedy: 'Ask whoever runs it; in a control plane of your own, set MAIL to the URL of a sender.',
  })
}

/** For development alone: what is in a mail lets whoever reads it in. */
const consoleMailer: Mailer = {
  send: async ({ to, subject, text }) => {
    console.warn(`mail to ${to}: ${subject}\n${text}`)
  },
}

/** Hands each mail as JSON to a URL, where something sends it. */
const webhookMailer = (url: string, token: string | undefined): Mailer => ({
  send: async (mail) => {
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        'content-type': 'application/json',
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(mail),
      signal: AbortSignal.timeout(LIMITS.mailTimeoutMs),
    })
    await response.body?.cancel()
    if (!response.ok) throw new Error(`the mail sender answered ${response.status}`)
  },
})

/** Later, so that how long it takes tells nobody whether there was somebody to send it to. */
export const mailing = (mailer: Mailer, mail: Mail): Promise<void> =>
  mailer.send(mail).catch((error: unknown) => {
    // Neither to whom nor what: both are secrets of others.
    console.error(JSON.stringify({ error: 'a mail was not sent', why: String(error) }))
  })
