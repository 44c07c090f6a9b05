/**
 * How the state of a virtual machine travels (M1 to M3, S-92): into a copy on another host that arrives
 * paused, or into a file on storage that all hosts share.
 *
 * What libvirt says of a migration counts for little: it resumes the source by itself when it loses the
 * answer of the target. Only that the source's process is gone counts, by the guard's own record.
 */
import { open, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { allows } from '../../schema/host-policy.ts'
import type { Call } from '../../schema/resource-type.ts'
import type { VirtualMachineProperties } from '../../schema/resource-types/virtual-machine.ts'
import type { LibvirtClient } from './client.ts'
import { withEmulator } from './domain-xml.ts'
import type { HeldDomain } from './held-domain.ts'

type VmCall = Call<VirtualMachineProperties>

/** What the target says of itself: how its libvirt is reached, by whom, and what its gate is. */
const receiver = z.strictObject({
  connect: z.string(),
  address: z.string().optional(),
  emulator: z.string().startsWith('/'),
  /** Its policy says that both have the same storage. */
  sharedStorage: z.literal('yes').optional(),
})

/** After libvirt's word the process is gone within 0.2 s. */
const GONE_MS = 5_000
const PROGRESS_MS = 1_000
const CALL_MS = 5_000

/** @throws {Error} it runs on here, as far as libvirt has anything to do with it */
export async function migrate(
  client: LibvirtClient,
  held: HeldDomain,
  call: VmCall,
  sharedStorage: boolean,
): Promise<void> {
  const to = receiver.parse(call.carry?.to)
  const { domain } = held
  const running = await client.migratable(domain, { timeoutMs: CALL_MS })
  const target = {
    connect: to.connect,
    uri: to.address === undefined ? null : `tcp://${to.address}`,
    // Each host has a gate of its own (G4 b).
    xml: withEmulator(running, to.emulator),
    persistent: withEmulator(held.startable.xml, to.emulator),
    trustStorage: sharedStorage && to.sharedStorage === 'yes',
  }
  await whileToldOf(client, held, call, () => client.migrate(domain, target))
}

/** @throws {Error} as `migrate` */
export async function save(
  client: LibvirtClient,
  held: HeldDomain,
  call: VmCall,
  paths: readonly string[],
): Promise<void> {
  const path = savePath(call, call.carry?.mid ?? '')
  if (path === null) throw new Error('it has no folder to be saved in (saveFolder)')
  if (!allows(paths, path))
    throw new Error(`"${path}" is not among the paths that this host allows`)
  try {
    await whileToldOf(client, held, call, async () => {
      await client.save(held.domain, path)
      // It is all there is of the guest from now on.
      await flush(path)
      await flush(dirname(path))
    })
  } catch (error) {
    if (call.workload.process !== null) await rm(path, { force: true })
    throw error
  }
}

/** The transfer itself, with its progress; then the process is gone, or it has failed. */
async function whileToldOf(
  client: LibvirtClient,
  held: HeldDomain,
  call: VmCall,
  transfer: () => Promise<void>,
): Promise<void> {
  const { domain } = held
  held.run = { ...held.run, ours: true }
  // libvirt goes on without its client; it has to be told.
  const abort = () => void client.abortJob(domain, { timeoutMs: CALL_MS }).catch(() => undefined)
  call.signal.addEventListener('abort', abort, { once: true })
  const timer = setInterval(() => {
    client.job(domain, { timeoutMs: CALL_MS }).then(
      ({ doneBytes, totalBytes }) => call.progress(`${mib(doneBytes)} of ${mib(totalBytes)} MiB`),
      () => undefined,
    )
  }, PROGRESS_MS)
  try {
    await transfer()
    for (const end = performance.now() + GONE_MS; call.workload.process !== null; await sleep(1))
      if (performance.now() > end) throw new Error('libvirt has moved it, and its process lives on')
    await call.workload.carried(call.carry?.mid ?? '')
  } catch (error) {
    held.run = { ...held.run, ours: false }
    throw error
  } finally {
    clearInterval(timer)
    call.signal.removeEventListener('abort', abort)
  }
}

/**
 * Goes on from a saved state, if it is there and whole (M5). The file is gone before the guest executes:
 * nothing ever goes on from it twice.
 *
 * @returns whether it executes; if not, it is to be started cold
 */
export async function restore(
  client: LibvirtClient,
  held: HeldDomain,
  call: VmCall,
): Promise<boolean> {
  const path = call.resume?.method === 'quick' ? savePath(call, call.resume.mid) : null
  if (path === null || !(await isThere(path))) return false
  try {
    await call.workload.permitGate(held.domain.name, { restores: true })
  } catch (error) {
    // M5: it has run since, and its disk is newer than what was saved.
    if (!String(error).includes('begun')) throw error
    return false
  }
  try {
    // As it was when it was saved, and with this host's gate (G4 b).
    const saved = await client.savedXml(path, { timeoutMs: CALL_MS })
    const xml = withEmulator(saved, held.prepared.facts.emulator)
    await client.restore(path, xml, { signal: call.signal })
  } catch (error) {
    await call.workload.stop()
    call.log(`its saved state cannot be read, and it starts cold: ${error}`)
    await rm(path, { force: true })
    return false
  }
  try {
    await rm(path)
    await flush(dirname(path))
  } catch (error) {
    await call.workload.stop()
    throw error
  }
  await client.resume(held.domain, { timeoutMs: CALL_MS })
  return true
}

/** States that nobody will ask for any more: whoever starts it cold has no use for them. */
export async function forgetSaved(call: VmCall): Promise<void> {
  const folder = call.properties.saveFolder
  if (folder === undefined) return
  const files = await readdir(folder).catch(() => [])
  for (const file of files)
    if (file.startsWith(`${call.guid}.`) && file.endsWith('.save'))
      await rm(join(folder, file), { force: true })
}

function savePath(call: VmCall, mid: string): string | null {
  const folder = call.properties.saveFolder
  return folder === undefined ? null : join(folder, `${call.guid}.${mid}.save`)
}

async function isThere(path: string): Promise<boolean> {
  try {
    await (await open(path, 'r')).close()
    return true
  } catch {
    return false
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

const mib = (bytes: number) => Math.round(bytes / 2 ** 20)
