/** Where a webhook may point to: never to the inside of whatever network this runs in. */
import ipaddr from 'ipaddr.js'
import { HoldfastError } from '../../schema/errors.ts'

/** Names that mean something only inside of a network, or the host itself. */
const INSIDE =
  /(?:^|\.)(?:localhost|local|internal|intranet|lan|home|corp|private|arpa|test|invalid)$/

/**
 * Judged when an endpoint is made and again before each request. What a name is resolved to is not seen here: at the
 * platform's edge there is no inside network to reach; workerd of one's own has to be kept from it by its own
 * configuration (a network that allows `public` only).
 *
 * @param anywhere for a control plane of one's own, whose receivers are in its network
 * @returns what is wrong with it; null: nothing
 */
export function targetProblem(text: string, anywhere: boolean): string | null {
  const url = URL.parse(text)
  if (!url) return 'it is no URL'
  if (url.username !== '' || url.password !== '') return 'it has a name or a password in it'
  if (url.hash !== '') return 'it has a fragment, which is never sent'
  if (url.protocol === 'http:' && anywhere) return null
  if (url.protocol !== 'https:') return 'it does not begin with https:'
  return anywhere ? null : hostProblem(url.hostname)
}

function hostProblem(hostname: string): string | null {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  if (ipaddr.isValid(host)) {
    // As an address that is mapped into IPv6 is reached.
    const range = ipaddr.process(host).range()
    return range === 'unicast' ? null : `${host} is no public address (${range})`
  }
  if (!host.includes('.')) return `${host} is a name without a domain`
  return INSIDE.test(host) ? `${host} is a name of an inside network` : null
}

/** @throws {HoldfastError} WEBHOOK_TARGET_REFUSED */
export function requireTarget(url: string, anywhere: boolean): void {
  const problem = targetProblem(url, anywhere)
  if (problem === null) return
  throw new HoldfastError({
    code: 'WEBHOOK_TARGET_REFUSED',
    message: 'nothing is sent to that URL',
    why: `Because ${problem}.`,
    remedy:
      'Give an https URL of a public host. A control plane of your own may be allowed to send anywhere: WEBHOOK_TARGETS=any.',
    errors: [{ pointer: '/url', message: problem }],
  })
}
