import type { Refusal } from '../../schema/errors.ts'
import { HoldfastError } from '../../schema/errors.ts'
import type { Check } from './checks.ts'
import { type Reached, reach } from './reach.ts'

/** What was seen of the control plane, before the checks are written down. */
export interface NetworkLook {
  /** Null: no address is known, since the host has not joined and none was named. */
  readonly url: string | null
  readonly seen: Reached | Refusal | null
}

/** No decision rests on a host's clock; people who compare logs do. */
const OFFSET_MAX_MS = 250

export async function lookAtNetwork(
  url: string | null,
  budget: { timeoutMs: number; samples: number },
): Promise<NetworkLook> {
  if (url === null) return { url, seen: null }
  try {
    return { url, seen: await reach(url, budget) }
  } catch (error) {
    if (error instanceof HoldfastError) return { url, seen: error.refusal }
    throw error
  }
}

export function controlPlane({ url, seen }: NetworkLook): Check {
  const name = 'control plane'
  if (url === null || seen === null)
    return {
      ...{ name, state: 'info', found: 'no address is known: this host has not joined' },
      fix: 'holdfast-probe doctor --url https://…',
    }
  if ('code' in seen)
    return {
      ...{ name, state: 'problem', found: `${seen.message}: ${seen.why ?? ''}` },
      ...{ fix: seen.remedy ?? 'Check the address and the network.', refusal: seen },
    }
  const { protocol, hostname } = new URL(url)
  const found = `${url} answers in ${Math.max(1, Math.round(seen.roundTripMs))} ms, version ${seen.version}`
  const local = /^(localhost|127\..*|\[::1\])$/.test(hostname)
  if (protocol === 'https:' || local) return { name, state: 'ok', found }
  return {
    ...{ name, state: 'warning', found: `${found}; without TLS` },
    fix: 'Tokens can be read on the way: put a TLS proxy before it and use https://.',
  }
}

export function clock({ seen }: NetworkLook): Check | null {
  const name = 'clock'
  if (seen === null || 'code' in seen) return null
  if (seen.clock === null)
    return { name, state: 'info', found: 'the control plane does not say its time' }
  const { lowMs, highMs } = seen.clock
  const middle = Math.round((lowMs + highMs) / 2)
  const found = `${middle >= 0 ? '+' : ''}${middle} ms against the control plane, give or take ${Math.ceil((highMs - lowMs) / 2)} ms`
  // Only what is surely outside: one look leaves a second open.
  if (lowMs <= OFFSET_MAX_MS && highMs >= -OFFSET_MAX_MS) return { name, state: 'ok', found }
  return {
    ...{ name, state: 'warning', found: `${found}: more than ${OFFSET_MAX_MS} ms` },
    fix: 'Logs of this host will not fit those of others; failover does not depend on it: timedatectl set-ntp true',
  }
}
