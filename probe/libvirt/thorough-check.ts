/** LooksAlive of a virtual machine (S-44): what the next start would need. */
import { accessSync, constants } from 'node:fs'
import { type Deadline, type LibvirtClient, LibvirtError } from './client.ts'
import {
  type DomainFacts,
  type DomainFile,
  domainDifferences,
  readDomainFacts,
} from './domain-xml.ts'
import type { HeldDomain } from './held-domain.ts'
import { writeMetadata } from './metadata.ts'

/** @returns the first file that is gone or cannot be used, or null */
export function checkFiles(files: readonly DomainFile[]): string | null {
  for (const file of files) {
    try {
      accessSync(file.path, constants.R_OK | (file.writable ? constants.W_OK : 0))
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
      return `"${file.path}" cannot be ${file.writable ? 'read and written' : 'read'} (${code})`
    }
  }
  return null
}

/** @returns that the host has not so much memory, or null */
export function memoryProblem({ memoryBytes }: DomainFacts, hostBytes: number): string | null {
  if (!(memoryBytes > hostBytes)) return null
  const mib = (bytes: number) => `${Math.floor(bytes / 1024 / 1024)} MiB`
  return `it wants ${mib(memoryBytes)} of memory, and this host has ${mib(hostBytes)}`
}

export interface Found {
  /** A file that it runs on is gone, or cannot be used. */
  readonly lost: string | null
  /** What was done to the definition. */
  readonly repaired: string | null
  /** Why libvirt does not take the definition that is wanted. */
  readonly refused: string | null
}

/** What runs is judged by what it was started with; what is wanted now is for the next start. */
export async function thoroughCheck(
  client: LibvirtClient,
  held: HeldDomain,
  deadline: Deadline,
): Promise<Found> {
  const running = readDomainFacts(await client.description(held.domain, deadline))
  const lost = checkFiles(running.files)
  if (lost !== null) return { lost, repaired: null, refused: null }
  try {
    return { lost, repaired: await repairDefinition(client, held, deadline), refused: null }
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error
    return { lost, repaired: null, refused: error.message }
  }
}

/**
 * Brings the definition here to what is wanted; what runs is not touched. It is another one after a
 * change of settings, and when it was changed on this host: an emulator that is not the gate would let a
 * start pass the guard, and autostart would ask for one after every boot.
 *
 * @returns what was done, or null
 */
async function repairDefinition(
  client: LibvirtClient,
  held: HeldDomain,
  deadline: Deadline,
): Promise<string | null> {
  const { domain, prepared } = held
  if (!held.definable) return null
  const found = readDomainFacts(await client.definition(domain, deadline))
  const changes = [...domainDifferences(prepared.facts, found)]
  const news = !held.defined
  if (news || changes.length > 0) {
    await client.define(prepared.xml, deadline)
    held.defined = true
    if (held.note !== null) await writeMetadata(client, domain, held.note, deadline)
  }
  if (await client.autostart(domain, deadline)) {
    await client.setAutostart(domain, false, deadline)
    changes.push('autostart was on')
  }
  const what = changes.length > 0 ? `: ${changes.join('; ')}` : ''
  if (news) return `the definition follows the cluster's, for the next start${what}`
  return what === '' ? null : `the definition was changed and is put back${what}`
}
