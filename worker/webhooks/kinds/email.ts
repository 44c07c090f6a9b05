/** Events as mails. Pure. */
import type { WebhookEvent } from '../../../schema/webhook-events.ts'
import { wordsOf } from './words.ts'

const SUBJECT_MAX = 150

interface Letter {
  readonly subject: string
  readonly text: string
}

/** @param endpoint its name: whoever wants no more of these says it to who made it */
export const mailOf = (event: WebhookEvent, endpoint: string): Letter =>
  letter(event, [
    `You get this because webhook "${endpoint}" of your organisation writes to this address.`,
    `To end that: holdfast webhook delete ${endpoint}`,
  ])

/** To those who look after an organisation, about a webhook of it. */
export const noticeOf = (event: WebhookEvent): Letter =>
  letter(event, ['You get this because you are owner or admin of the organisation.'])

function letter(event: WebhookEvent, why: readonly string[]): Letter {
  const { severity, headline, lines } = wordsOf(event)
  const { cluster, type, timestamp, sequence } = event
  const title = `${cluster ? `${cluster.name}: ` : ''}${headline}`
  return {
    // A header has one line, whatever somebody called a thing.
    subject: `[holdfast ${severity}] ${title}`.replace(/\p{Cc}+/gu, ' ').slice(0, SUBJECT_MAX),
    text: [
      `${title}.`,
      ...(lines.length > 0 ? ['', ...lines] : []),
      '',
      `When:    ${timestamp}`,
      ...(cluster ? [`Cluster: ${cluster.name} (${cluster.id})`] : []),
      `Event:   ${type}${sequence > 0 ? `, number ${sequence}` : ''}`,
      '',
      ...why,
    ].join('\n'),
  }
}
