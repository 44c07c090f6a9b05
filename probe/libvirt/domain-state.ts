/** What libvirt believes of a domain: never more than a belief, the guard looks at processes. */
import type { Call } from '../../schema/resource-type.ts'
import {
  type Domain,
  type DomainState,
  type LibvirtClient,
  LibvirtError,
  NO_DOMAIN,
} from './client.ts'
import { isActive } from './verdict.ts'
import { pause } from './waits.ts'

/** libvirt's own calls, that do not wait for a guest. */
const CALL_MS = 5_000
/** libvirt sees the end of a process up to 0.2 s late. */
const SETTLE_MS = 2_000
const POLL_MS = 50

/** @returns null: there is no such domain here */
export async function stateOf(
  client: LibvirtClient,
  domain: Domain,
  timeoutMs: number,
): Promise<DomainState | null> {
  try {
    return await client.state(domain, { timeoutMs })
  } catch (error) {
    if (error instanceof LibvirtError && error.code === NO_DOMAIN) return null
    throw error
  }
}

/** The state once libvirt has taken note of a process that the guard knows to be gone. */
export async function settled(
  client: LibvirtClient,
  domain: Domain,
  call: Call,
): Promise<DomainState | null> {
  const end = performance.now() + SETTLE_MS
  for (;;) {
    const current = await stateOf(client, domain, CALL_MS)
    if (current === null || !isActive(current.state)) return current
    if (call.workload.process !== null || performance.now() > end) return current
    await pause(POLL_MS, call.signal)
  }
}

/** @throws {Error} its name is taken by a domain that is not ours */
export async function refuseForeign(
  client: LibvirtClient,
  domain: Domain,
  signal: AbortSignal,
): Promise<void> {
  const found = await client.lookup(domain.name, { signal })
  if (found !== null && found.uuid !== domain.uuid)
    throw new Error(
      `another domain "${domain.name}" is defined on this host (UUID ${found.uuid}, ours is ` +
        `${domain.uuid}). Rename or undefine it.`,
    )
}
