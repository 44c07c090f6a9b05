/** LooksAlive of a virtual machine (S-44): what the next start would need. */
import { accessSync, constants } from 'node:fs'
import type { Deadline, Domain, LibvirtClient } from './client.ts'
import {
  type DomainFile,
  domainDifferences,
  type PreparedDomain,
  readDomainFacts,
} from './domain-xml.ts'

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

/**
 * Puts the definition back if it was changed on this host. An emulator that is not the gate would
 * let a start pass the guard, and autostart would ask for one after every boot.
 *
 * @returns what was changed, or null
 */
export async function repairDefinition(
  client: LibvirtClient,
  prepared: PreparedDomain,
  deadline: Deadline,
): Promise<string | null> {
  const domain: Domain = { name: prepared.facts.name, uuid: prepared.uuid, id: -1 }
  const found = readDomainFacts(await client.definition(domain, deadline))
  const changes = [...domainDifferences(prepared.facts, found)]
  if (changes.length > 0) await client.define(prepared.xml, deadline)
  if (await client.autostart(domain, deadline)) {
    await client.setAutostart(domain, false, deadline)
    changes.push('autostart was on')
  }
  return changes.length === 0
    ? null
    : `the definition was changed and is put back: ${changes.join('; ')}`
}
