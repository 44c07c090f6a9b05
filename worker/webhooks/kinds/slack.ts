/**
 * Events as a Slack incoming webhook takes them. Pure.
 *
 * @see https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and, for what has to be escaped,
 *   https://docs.slack.dev/messaging/formatting-message-text
 */
import type { WebhookEvent } from '../../../schema/webhook-events.ts'
import { type Severity, wordsOf } from './words.ts'

interface SlackMessage {
  /** What is shown where blocks are not: in notifications. */
  readonly text: string
  readonly blocks: readonly object[]
}

const TEXT_MAX = 2_900

export function slackMessage(event: WebhookEvent): SlackMessage {
  const { severity, headline, lines } = wordsOf(event)
  const { cluster, type, timestamp, sequence } = event
  const title = escaped(`${cluster ? `${cluster.name}: ` : ''}${headline}`)
  const details = lines.map(escaped).join('\n')
  const at = Math.floor(Date.parse(timestamp) / 1_000)
  const when = `<!date^${at}^{date_short_pretty} {time_secs}|${timestamp}>`
  return {
    text: `${MARK[severity]} ${title}`.slice(0, TEXT_MAX),
    blocks: [
      section(`${MARK[severity]} *${title}*`),
      ...(details === '' ? [] : [section(details)]),
      {
        type: 'context',
        elements: [{ type: 'mrkdwn', text: `\`${type}\` · ${when} · event ${sequence}` }],
      },
    ],
  }
}

const section = (text: string) => ({
  ...{ type: 'section', text: { type: 'mrkdwn', text: text.slice(0, TEXT_MAX) } },
})

/** By colour and by shape: colour alone says nothing to some. */
const MARK: Readonly<Record<Severity, string>> = {
  ...{ critical: ':rotating_light:', error: ':red_circle:' },
  ...{ warning: ':warning:', info: ':information_source:' },
}

/** What Slack would take for a link, a mention or formatting of its own. */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
