/**
 * Plays PagerDuty, Slack, a pinged heartbeat and a receiver: in place of `fetch`, by the documented shape of what
 * they take and answer. None of it is theirs.
 */
import { vi } from 'vitest'
import * as z from 'zod'

export interface Heard {
  readonly url: string
  readonly method: string
  readonly body: string
}

const ofPagerDuty = z.object({
  routing_key: z.string().length(32),
  event_action: z.enum(['trigger', 'resolve']),
  dedup_key: z.string().min(1).max(255),
  payload: z
    .object({
      summary: z.string().min(1).max(1_024),
      source: z.string().min(1),
      severity: z.enum(['critical', 'error', 'warning', 'info']),
    })
    .optional(),
})

/** Its incidents: a trigger opens one unless one with its key is open; a resolve ends that. */
export class PagerDutyPlayed {
  readonly url = 'https://events.pagerduty.com/v2/enqueue'
  readonly incidents: { key: string; summary: string[]; open: boolean }[] = []

  answer({ body }: Heard): Response {
    const parsed = ofPagerDuty.safeParse(JSON.parse(body))
    if (!parsed.success || (parsed.data.event_action === 'trigger' && !parsed.data.payload))
      return Response.json(
        { status: 'invalid event', message: 'Event object is invalid' },
        { status: 400 },
      )
    const { dedup_key: key, event_action: action, payload } = parsed.data
    const open = this.incidents.find((one) => one.key === key && one.open)
    if (action === 'resolve') {
      if (open) open.open = false
    } else if (open) open.summary.push(payload?.summary ?? '')
    else this.incidents.push({ key, summary: [payload?.summary ?? ''], open: true })
    return Response.json(
      { status: 'success', message: 'Event processed', dedup_key: key },
      { status: 202 },
    )
  }
}

/** Whatever goes out is answered by whoever plays its host; and what was heard of it is kept. */
export function playing(players: Readonly<Record<string, (heard: Heard) => Response>>) {
  const heard: Heard[] = []
  const spy = vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    const one = { url: request.url, method: request.method, body: await request.text() }
    heard.push(one)
    const player = players[new URL(one.url).host]
    return player ? player(one) : new Response('nobody plays this', { status: 502 })
  })
  return { heard, end: () => spy.mockRestore() }
}
