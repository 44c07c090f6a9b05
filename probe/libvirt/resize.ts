/** Memory and CPUs of a virtual machine while it runs: what it has just now, within what it was started with. */
import type { Domain, LibvirtClient } from './client.ts'
import type { Deadline } from './connection.ts'

export interface Sizes {
  readonly currentMemoryMib?: number | undefined
  readonly currentCpus?: number | undefined
}

/** By setting: null, libvirt has done it; else why not, in libvirt's words. */
export type Resized = Partial<Record<keyof Sizes, string | null>>

const KIB_PER_MIB = 1_024

/**
 * Of memory libvirt asks the guest by its balloon, and has done so when this says so: how much the guest gives back,
 * and when, is the guest's to decide. A CPU is plugged in; one that is taken out has to be let go by the guest.
 */
export async function resize(
  client: Pick<LibvirtClient, 'setMemory' | 'setCpus'>,
  domain: Domain,
  { currentMemoryMib: mib, currentCpus: cpus }: Sizes,
  deadline: Deadline,
): Promise<Resized> {
  const said: Resized = {}
  if (mib !== undefined)
    said.currentMemoryMib = await tried(client.setMemory(domain, mib * KIB_PER_MIB, deadline))
  if (cpus !== undefined) said.currentCpus = await tried(client.setCpus(domain, cpus, deadline))
  return said
}

/** That one cannot be is no reason not to try the other. */
async function tried(work: Promise<void>): Promise<string | null> {
  try {
    await work
    return null
  } catch (error) {
    return (error as Error).message
  }
}
