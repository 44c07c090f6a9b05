/** What libvirt's own tools show of a domain that the cluster runs (S-86): metadata and a title. */
import type { Call, Step } from '../../schema/resource-type.ts'
import type { VirtualMachineProperties } from '../../schema/resource-types/virtual-machine.ts'
import {
  type Deadline,
  type Domain,
  type LibvirtClient,
  LibvirtError,
  NO_DOMAIN,
  OPERATION_INVALID,
} from './client.ts'

/** `virsh metadata DOMAIN https://holdfast.dev/ns/1` */
export const NAMESPACE = 'https://holdfast.dev/ns/1'
export const PREFIX = 'holdfast'

/** One empty element: everything is in its attributes. */
export function metadataOf(call: Call<VirtualMachineProperties>, step: Step): string {
  const attributes = {
    node: call.nodeName,
    group: call.groupId,
    epoch: String(call.epoch),
    wanted: call.persistentState === 1 ? 'online' : 'offline',
    status: step.status,
    step: step.step,
    atMs: String(step.atMs),
    reason: step.reason.slice(0, 500),
  }
  const words = Object.entries(attributes).map(([key, value]) => `${key}="${escaped(value)}"`)
  return `<cluster ${words.join(' ')}/>`
}

/** Of the running domain and of its definition, as far as there are any. */
export async function writeMetadata(
  client: LibvirtClient,
  domain: Domain,
  text: string,
  deadline: Deadline,
): Promise<void> {
  for (const live of [true, false])
    try {
      await client.setMetadata(domain, { text, prefix: PREFIX, uri: NAMESPACE, live }, deadline)
    } catch (error) {
      // It does not run, or is not defined here: there is nobody to tell.
      const absent = error instanceof LibvirtError && ABSENT.includes(error.code)
      if (!absent) throw error
    }
}

const ABSENT = [NO_DOMAIN, OPERATION_INVALID]

/** XML has no word at all for control characters, and none for half of a pair. */
const escaped = (text: string) =>
  text
    .toWellFormed()
    .replace(/[\p{Cc}\ufffe\uffff]/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
