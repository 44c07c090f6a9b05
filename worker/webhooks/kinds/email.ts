/** Events as mails. Pure. */
import type { WebhookEvent } from '../../../schema/webhook-events.ts'
import { wordsOf } from './words.ts'

const SUBJECT_MAX = 150

/** @param endpoint its name: whoever wants no more of these says it to who made it */
export function mailOf(event: WebhookEvent, endpoint: string): { subject: string; text: string } {
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
      `You get this because webhook "${endpoint}" of your organisation writes to this address.`,
      `To end that: holdfast webhook delete ${endpoint}`,
    ].join('\n'),
  }
}
