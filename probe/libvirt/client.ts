/**
 * libvirt by its own protocol, without its library: about 60 µs a call instead of the 25 ms of a
 * `virsh` process. One client serves all resources of a process.
 *
 * Every call has a deadline. When the daemon goes away all calls that wait are rejected with
 * `LibvirtGone`, and the next call connects again; that says nothing of the domains, which run on.
 */
import { existsSync } from 'node:fs'
import {
  type Deadline,
  LibvirtConnection,
  LibvirtError,
  QEMU_PROGRAM,
  REMOTE_PROGRAM,
} from './connection.ts'
import {
  AFFECT_CONFIG,
  AFFECT_LIVE,
  AUTH_NONE,
  EVENT_ID_LIFECYCLE,
  JOB_MS,
  JOB_RUNS,
  METADATA_ELEMENT,
  MIGRATE,
  MIGRATE_UNSAFE,
  NO_DOMAIN,
  PROCEDURE,
  QEMU_MONITOR_COMMAND,
  RESTORE_PAUSED,
  START_FORCE_BOOT,
  STATS_STATE,
  TYPED_STRING,
  UNDEFINE,
  XML_INACTIVE,
  XML_MIGRATABLE,
  XML_SECURE,
} from './constants.ts'
import { readDomain, readStates, writeDomain } from './domain-words.ts'
import { type XdrReader, XdrWriter } from './xdr.ts'

export { type Deadline, LibvirtError, LibvirtGone, LibvirtTimeout } from './connection.ts'
export { DOMAIN, EVENT, NO_DOMAIN, OPERATION_INVALID } from './constants.ts'

export interface Domain {
  readonly name: string
  /** Lower case, with dashes. */
  readonly uuid: string
  /** -1 while it does not run. */
  readonly id: number
}

export interface DomainState {
  /** One of `DOMAIN`. */
  readonly state: number
  /** Its meaning depends on the state: `PAUSED`, `SHUTOFF`. */
  readonly reason: number
}

export interface LifecycleEvent {
  readonly domain: Domain
  /** One of `EVENT`. */
  readonly event: number
  /** Its meaning depends on the event: `STOPPED`, `SHUTDOWN`. */
  readonly detail: number
}

export interface MigrationTarget {
  /** How the source's libvirt reaches the target's. */
  readonly connect: string
  /** Where the target's QEMU listens, or null: libvirt finds out. */
  readonly uri: string | null
  /** The running domain as it is to be there. */
  readonly xml: string
  /** Its definition there. */
  readonly persistent: string
  /** libvirt need not know the storage to be shared. */
  readonly trustStorage: boolean
}

/** Where libvirt listens: the one daemon, or the modular one for QEMU. */
export function defaultSocket(): string {
  const sockets = ['/run/libvirt/virtqemud-sock', '/run/libvirt/libvirt-sock']
  return sockets.find((path) => existsSync(path)) ?? '/run/libvirt/libvirt-sock'
}

export class LibvirtClient {
  readonly #socket: () => string
  readonly #listeners = new Set<(event: LifecycleEvent) => void>()
  readonly #goneListeners = new Set<(error: Error) => void>()
  #connection: Promise<LibvirtConnection> | null = null

  /** @param socket path, or how to find it at each connect */
  constructor(socket: string | (() => string) = defaultSocket) {
    this.#socket = typeof socket === 'string' ? () => socket : socket
  }

  /** Connects if there is no connection. Every call does so by itself. */
  async connect(deadline: Deadline = {}): Promise<void> {
    await this.#connected(deadline)
  }

  close(): void {
    const connection = this.#connection
    this.#connection = null
    connection?.then((c) => c.close()).catch(() => undefined)
  }

  /** Lifecycle events of all domains, for as long as there is a connection. */
  onLifecycle(listener: (event: LifecycleEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Told when the connection is lost: no events come until the next call. */
  onGone(listener: (error: Error) => void): () => void {
    this.#goneListeners.add(listener)
    return () => void this.#goneListeners.delete(listener)
  }

  /** @returns null when no such domain is defined or runs */
  async lookup(name: string, deadline: Deadline = {}): Promise<Domain | null> {
    try {
      const body = new XdrWriter().string(name)
      return readDomain(await this.#call(PROCEDURE.lookupByName, body, deadline))
    } catch (error) {
      if (error instanceof LibvirtError && error.code === NO_DOMAIN) return null
      throw error
    }
  }

  /** What libvirt believes. It does not ask QEMU: a hung QEMU is "running". */
  async state(domain: Domain, deadline: Deadline = {}): Promise<DomainState> {
    const body = writeDomain(domain).int(0)
    const reply = await this.#call(PROCEDURE.getState, body, deadline)
    return { state: reply.int(), reason: reply.int() }
  }

  /** The same of many in one call, by UUID. One that is not defined is left out. */
  async states(
    domains: readonly Domain[],
    deadline: Deadline = {},
  ): Promise<ReadonlyMap<string, DomainState>> {
    const body = new XdrWriter().int(domains.length)
    for (const domain of domains) writeDomain(domain, body)
    const asked = body.int(STATS_STATE).int(0)
    return readStates(await this.#call(PROCEDURE.getAllDomainStats, asked, deadline))
  }

  /**
   * Resolves when QEMU itself has answered: libvirt passes `query-iothreads` to its monitor. It
   * changes nothing, does not mark the domain as tampered with, and works for every domain.
   *
   * @throws {LibvirtTimeout} QEMU hangs. libvirt goes on waiting with one of its workers: do not
   *   ask again before the first call has ended.
   */
  async reachQemu(domain: Domain, deadline: Deadline = {}): Promise<void> {
    await this.#call(PROCEDURE.getIothreadInfo, writeDomain(domain).int(AFFECT_LIVE), deadline)
  }

  /** How long the monitor is busy; `state`: 0 idle, 1 in a job, 2 in the monitor, 3 broken. */
  async control(domain: Domain, deadline: Deadline = {}): Promise<{ state: number; ms: number }> {
    const reply = await this.#call(PROCEDURE.getControlInfo, writeDomain(domain).int(0), deadline)
    const state = reply.int()
    reply.int()
    return { state, ms: Number(reply.hyper()) }
  }

  /** One command in QEMU's own language, as JSON. Marks the domain as tampered with. */
  async monitorCommand(domain: Domain, json: string, deadline: Deadline = {}): Promise<string> {
    const connection = await this.#connected(deadline)
    const body = writeDomain(domain).string(json).int(0)
    const reply = await connection.call(QEMU_PROGRAM, QEMU_MONITOR_COMMAND, body, deadline)
    return reply.string()
  }

  async define(xml: string, deadline: Deadline = {}): Promise<Domain> {
    const body = new XdrWriter().string(xml)
    return readDomain(await this.#call(PROCEDURE.defineXml, body, deadline))
  }

  /** Forgets a definition, with saved state and snapshot metadata; NVRAM stays. */
  async undefine(domain: Domain, deadline: Deadline = {}): Promise<void> {
    await this.#call(PROCEDURE.undefineFlags, writeDomain(domain).int(UNDEFINE), deadline)
  }

  /** The XML that the next start would use. */
  async definition(domain: Domain, deadline: Deadline = {}): Promise<string> {
    const body = writeDomain(domain).int(XML_INACTIVE)
    return (await this.#call(PROCEDURE.getXmlDesc, body, deadline)).string()
  }

  /** The XML of what runs; without secrets. */
  async description(domain: Domain, deadline: Deadline = {}): Promise<string> {
    return (await this.#call(PROCEDURE.getXmlDesc, writeDomain(domain).int(0), deadline)).string()
  }

  /** Boots the domain cold; resolves when QEMU executes. */
  async create(domain: Domain, deadline: Deadline = {}): Promise<void> {
    const body = writeDomain(domain).int(START_FORCE_BOOT)
    await this.#call(PROCEDURE.createWithFlags, body, deadline)
  }

  /** Asks the guest to shut down (agent or ACPI button); resolves when asked, not when down. */
  async shutdown(domain: Domain, deadline: Deadline = {}): Promise<void> {
    await this.#call(PROCEDURE.shutdown, writeDomain(domain), deadline)
  }

  /** libvirt's kill: up to 12 s for a QEMU that hangs. */
  async destroy(domain: Domain, deadline: Deadline = {}): Promise<void> {
    await this.#call(PROCEDURE.destroy, writeDomain(domain), deadline)
  }

  /** The running domain, as its migration needs it. */
  async migratable(domain: Domain, deadline: Deadline = {}): Promise<string> {
    const body = writeDomain(domain).int(XML_SECURE | XML_MIGRATABLE)
    return (await this.#call(PROCEDURE.getXmlDesc, body, deadline)).string()
  }

  /**
   * Resolves when libvirt says that it runs here no more and waits there, paused. Rejects when libvirt
   * says that it has stayed; neither word is proof.
   */
  async migrate(domain: Domain, target: MigrationTarget): Promise<void> {
    const params: [string, string][] = [
      ['destination_xml', target.xml],
      ['persistent_xml', target.persistent],
    ]
    if (target.uri !== null) params.push(['migrate_uri', target.uri])
    const body = writeDomain(domain).optionalString(target.connect).int(params.length)
    for (const [name, value] of params) body.string(name).int(TYPED_STRING).string(value)
    // No cookie: libvirt talks to libvirt.
    body.int(0).int(target.trustStorage ? MIGRATE | MIGRATE_UNSAFE : MIGRATE)
    await this.#call(PROCEDURE.migratePerform3Params, body, { timeoutMs: JOB_MS })
  }

  /** Saves its memory, and it runs no more. The file appears whole or the call fails. */
  async save(domain: Domain, path: string): Promise<void> {
    const body = writeDomain(domain).string(path).optionalString(null).int(0)
    await this.#call(PROCEDURE.saveFlags, body, { timeoutMs: JOB_MS })
  }

  /** What a saved domain is, as it is to be brought back. */
  async savedXml(path: string, deadline: Deadline = {}): Promise<string> {
    const body = new XdrWriter().string(path).int(XML_SECURE)
    return (await this.#call(PROCEDURE.saveImageGetXmlDesc, body, deadline)).string()
  }

  /** Brings a saved domain back, paused. */
  async restore(path: string, xml: string, deadline: Deadline = {}): Promise<void> {
    const body = new XdrWriter().string(path).optionalString(xml).int(RESTORE_PAUSED)
    await this.#call(PROCEDURE.restoreFlags, body, { timeoutMs: JOB_MS, ...deadline })
  }

  /** The job that runs now, or was the last. */
  async job(
    domain: Domain,
    deadline: Deadline = {},
  ): Promise<{ runs: boolean; doneBytes: number; totalBytes: number }> {
    const reply = await this.#call(PROCEDURE.getJobInfo, writeDomain(domain), deadline)
    const runs = JOB_RUNS.includes(reply.int())
    const [, , total, done] = [reply.hyper(), reply.hyper(), reply.hyper(), reply.hyper()]
    return { runs, doneBytes: Number(done), totalBytes: Number(total) }
  }

  async abortJob(domain: Domain, deadline: Deadline = {}): Promise<void> {
    await this.#call(PROCEDURE.abortJob, writeDomain(domain), deadline)
  }

  async suspend(domain: Domain, deadline: Deadline = {}): Promise<void> {
    await this.#call(PROCEDURE.suspend, writeDomain(domain), deadline)
  }

  async resume(domain: Domain, deadline: Deadline = {}): Promise<void> {
    await this.#call(PROCEDURE.resume, writeDomain(domain), deadline)
  }

  async autostart(domain: Domain, deadline: Deadline = {}): Promise<boolean> {
    return (await this.#call(PROCEDURE.getAutostart, writeDomain(domain), deadline)).int() !== 0
  }

  async setAutostart(domain: Domain, on: boolean, deadline: Deadline = {}): Promise<void> {
    await this.#call(PROCEDURE.setAutostart, writeDomain(domain).int(on ? 1 : 0), deadline)
  }

  /** Replaces the element of this namespace, of the running domain or of its definition. */
  /** What the running domain may use of its memory, in KiB. */
  async setMemory(domain: Domain, kib: number, deadline: Deadline = {}): Promise<void> {
    const body = writeDomain(domain)
      .int(Math.floor(kib / 2 ** 32))
      .int(kib % 2 ** 32)
    await this.#call(PROCEDURE.setMemoryFlags, body.int(AFFECT_LIVE), deadline)
  }

  /** How many of its CPUs the running domain has plugged in. */
  async setCpus(domain: Domain, cpus: number, deadline: Deadline = {}): Promise<void> {
    const body = writeDomain(domain).int(cpus).int(AFFECT_LIVE)
    await this.#call(PROCEDURE.setVcpusFlags, body, deadline)
  }

  async setMetadata(
    domain: Domain,
    element: { text: string; prefix: string; uri: string; live: boolean },
    deadline: Deadline = {},
  ): Promise<void> {
    const body = writeDomain(domain)
      .int(METADATA_ELEMENT)
      .optionalString(element.text)
      .optionalString(element.prefix)
      .optionalString(element.uri)
      .int(element.live ? AFFECT_LIVE : AFFECT_CONFIG)
    await this.#call(PROCEDURE.setMetadata, body, deadline)
  }

  /** @throws {LibvirtError} there is no element of this namespace */
  async metadata(
    domain: Domain,
    element: { uri: string; live: boolean },
    deadline: Deadline = {},
  ): Promise<string> {
    const body = writeDomain(domain)
      .int(METADATA_ELEMENT)
      .optionalString(element.uri)
      .int(element.live ? AFFECT_LIVE : AFFECT_CONFIG)
    return (await this.#call(PROCEDURE.getMetadata, body, deadline)).string()
  }

  async #call(procedure: number, body: XdrWriter, deadline: Deadline): Promise<XdrReader> {
    const connection = await this.#connected(deadline)
    return connection.call(REMOTE_PROGRAM, procedure, body, deadline)
  }

  #connected(deadline: Deadline): Promise<LibvirtConnection> {
    if (this.#connection !== null) return this.#connection
    const connection = this.#open(deadline)
    this.#connection = connection
    connection.catch(() => this.#forget(connection))
    return connection
  }

  async #open(deadline: Deadline): Promise<LibvirtConnection> {
    // Shared by all who call meanwhile: it must not end with the first caller's signal.
    const bounded = { timeoutMs: Math.min(deadline.timeoutMs ?? OPEN_TIMEOUT_MS, OPEN_TIMEOUT_MS) }
    let opened: LibvirtConnection | null = null
    const connection = await LibvirtConnection.connect(
      this.#socket(),
      bounded,
      (procedure, body) => this.#message(procedure, body),
      (error) => opened !== null && this.#gone(opened, error),
    )
    try {
      await handshake(connection, bounded)
    } catch (error) {
      connection.close()
      throw error
    }
    opened = connection
    this.#current = connection
    return connection
  }

  #current: LibvirtConnection | null = null

  #gone(connection: LibvirtConnection, error: Error): void {
    if (this.#current !== connection) return
    this.#current = null
    this.#connection = null
    for (const listener of this.#goneListeners) listener(error)
  }

  #forget(connection: Promise<LibvirtConnection>): void {
    if (this.#connection === connection) this.#connection = null
  }

  #message(procedure: number, body: XdrReader): void {
    if (procedure !== PROCEDURE.lifecycleEvent) return
    body.int()
    const event = { domain: readDomain(body), event: body.int(), detail: body.int() }
    for (const listener of this.#listeners) listener(event)
  }
}

const OPEN_TIMEOUT_MS = 5_000

/** Authentication must be "none": the socket's own permissions say who may connect. */
async function handshake(connection: LibvirtConnection, deadline: Deadline): Promise<void> {
  const call = (procedure: number, body: XdrWriter) =>
    connection.call(REMOTE_PROGRAM, procedure, body, deadline)
  const offered = await call(PROCEDURE.authList, new XdrWriter())
  const count = offered.unsigned()
  const types = Array.from({ length: Math.min(count, 20) }, () => offered.int())
  if (!types.includes(AUTH_NONE))
    throw new LibvirtError(45, 7, 'libvirt asks for a login on its socket; root needs none')
  await call(PROCEDURE.open, new XdrWriter().optionalString('qemu:///system').int(0))
  // No domain: the events of all of them.
  await call(PROCEDURE.eventRegister, new XdrWriter().int(EVENT_ID_LIFECYCLE).int(0))
}
