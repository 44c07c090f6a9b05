/** What libvirt has of a domain, for whoever compares it with what is configured. */
import {
  type Deadline,
  type Domain,
  type LibvirtClient,
  LibvirtError,
  NO_DOMAIN,
} from './client.ts'
import { isActive } from './verdict.ts'

export interface Definitions {
  /** XML of what runs now, as it was started; null: nothing runs. */
  readonly running: string | null
  /** XML of the next start; null: libvirt here does not know the domain. */
  readonly defined: string | null
}

export async function definitionsOf(
  client: LibvirtClient,
  domain: Domain,
  deadline: Deadline,
): Promise<Definitions> {
  try {
    const { state } = await client.state(domain, deadline)
    const defined = await client.definition(domain, deadline)
    return { running: isActive(state) ? await client.description(domain, deadline) : null, defined }
  } catch (error) {
    if (error instanceof LibvirtError && error.code === NO_DOMAIN)
      return { running: null, defined: null }
    throw error
  }
}
