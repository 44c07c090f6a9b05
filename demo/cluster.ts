/** A control plane and three hosts on this machine: what `npm start`, the tour and tests build on. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClusterView, GroupView } from '../schema/api/bodies.ts'
import { type Client, createClient } from '../schema/api/client.ts'
import type { RestartPolicy } from '../schema/hive.ts'
import type { HostPolicy } from '../schema/host-policy.ts'
import type { ProfileName } from '../schema/timing.ts'
import { bundleProbe } from '../tools/bundle-probe.ts'
import { type ControlPlane, startControlPlane } from './control-plane.ts'
import { DemoHost, type HostOptions } from './host.ts'
import { type LibvirtHost, libvirtMissing, startLibvirtHost } from './libvirt-host.ts'
import { tinyDomainXml, writeTinyImage } from './vm/domain.ts'

export const CLUSTER = 'demo'

export interface DemoOptions {
  readonly folder: string
  readonly port: number
  readonly profile: ProfileName
  readonly hosts?: readonly string[]
  /** One private libvirtd per host; false leaves virtual machines out. */
  readonly vm?: boolean
  /** What the hosts are willing to run besides what the demo needs. */
  readonly policy?: HostPolicy
  readonly env?: Record<string, string>
  /** Each host with boot ids of its own, as machines have them (needs root). */
  readonly ownBoot?: boolean
  /** What is different for one of the hosts. */
  hostOptions?(name: string, control: ControlPlane): Partial<HostOptions>
  /** Another port will not do, should this one be taken. */
  readonly thisPortOnly?: boolean
  readonly alarmsLateMs?: number
  readonly webhookRetryFactor?: number
  /** Another Worker made of this one. */
  made?(bundle: string): string
  log?(level: string, message: string): void
}

/** Pause between two looks: soon at first, and for what takes long not so often that looking is what keeps it. */
export const pollMs = (waitedMs: number): number => Math.min(100, Math.max(10, waitedMs / 10))

export class Demo {
  readonly folder: string
  readonly control: ControlPlane
  readonly api: Client
  readonly hosts: DemoHost[]
  /** Why there are no virtual machines, or null. */
  readonly vmMissing: string | null

  private constructor(
    folder: string,
    control: ControlPlane,
    hosts: DemoHost[],
    vmMissing: string | null,
  ) {
    this.folder = folder
    this.control = control
    this.api = createClient({ url: control.url, key: control.key })
    this.hosts = hosts
    this.vmMissing = vmMissing
  }

  /** Brings everything up; a folder that was used before goes on with its hive as it was. */
  static async start(options: DemoOptions): Promise<Demo> {
    mkdirSync(options.folder, { recursive: true, mode: 0o700 })
    const control = await startControlPlane({
      folder: join(options.folder, 'control'),
      port: options.port,
      ...(options.thisPortOnly && { thisPortOnly: true }),
      ...(options.alarmsLateMs !== undefined && { alarmsLateMs: options.alarmsLateMs }),
      ...(options.webhookRetryFactor !== undefined && {
        webhookRetryFactor: options.webhookRetryFactor,
      }),
      ...(options.made && { made: options.made }),
      ...(options.log && { log: options.log }),
    })
    writeFileSync(
      join(options.folder, 'cli.json'),
      JSON.stringify({ url: control.url, key: control.key, cluster: CLUSTER }),
      { mode: 0o600 },
    )
    const api = createClient({ url: control.url, key: control.key })
    const { clusters } = await api('listClusters')
    if (!clusters.some((c) => c.name === CLUSTER))
      await api('createCluster', { body: { name: CLUSTER, profile: options.profile } })
    const vmMissing = options.vm === false ? 'left out' : libvirtMissing()
    const files = await bundleProbe(join(options.folder, 'dist'))
    const hosts: DemoHost[] = []
    for (const name of options.hosts ?? ['n1', 'n2', 'n3']) {
      const libvirt = vmMissing === null ? await startLibvirtHost({ name }) : null
      hosts.push(
        new DemoHost({
          name,
          folder: join(options.folder, 'hosts', name),
          probe: files.probe,
          policy: { ...policyOf(options.folder, libvirt), ...options.policy },
          ...(libvirt && { libvirt }),
          ...(options.env && { env: options.env }),
          ...(options.ownBoot && { ownBoot: true }),
          ...options.hostOptions?.(name, control),
        }),
      )
    }
    const demo = new Demo(options.folder, control, hosts, vmMissing)
    await demo.#join()
    for (const host of hosts) host.start()
    return demo
  }

  async #join(): Promise<void> {
    // Joining again with the same key changes nothing but the address: the port may be another one.
    const reached = (host: DemoHost) => host.options.controlUrl ?? this.control.url
    const fresh = this.hosts.filter((host) => host.url !== reached(host))
    if (fresh.length === 0) return
    const { token } = await this.api('createToken', {
      params: { cluster: CLUSTER },
      body: { uses: fresh.length, ttlMs: 600_000 },
    })
    for (const host of fresh) await host.join(reached(host), token)
  }

  /** One more machine, which has not joined yet. */
  addHost(name: string, more: { runWords?: readonly string[] } = {}): DemoHost {
    const { libvirt: _, ...like } = (this.hosts[0] as DemoHost).options
    const host = new DemoHost({ ...like, ...more, name, folder: join(this.folder, 'hosts', name) })
    this.hosts.push(host)
    return host
  }

  removeHost(host: DemoHost): void {
    this.hosts.splice(this.hosts.indexOf(host), 1)
  }

  host(name: string): DemoHost {
    const found = this.hosts.find((host) => host.name === name)
    if (!found) throw new Error(`no host ${name}`)
    return found
  }

  view(): Promise<ClusterView> {
    return this.api('getCluster', { params: { cluster: CLUSTER } })
  }

  async group(name: string): Promise<GroupView> {
    return this.api('getGroup', { params: { cluster: CLUSTER, group: name } })
  }

  /** Polls until it holds. @throws {Error} naming what was waited for, with the last state */
  async until<T>(
    what: string,
    check: (view: ClusterView) => T | false | null | undefined,
    timeoutMs = 30_000,
  ): Promise<T> {
    const begun = performance.now()
    let last: ClusterView | null = null
    for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs = performance.now() - begun) {
      last = await this.view().catch(() => last)
      const found = last && check(last)
      if (found) return found
      await sleep(pollMs(waitedMs))
    }
    throw new Error(`waited ${timeoutMs} ms in vain until ${what}: ${brief(last)}`)
  }

  allUp(timeoutMs = 60_000): Promise<true> {
    return this.until(
      'all nodes are up',
      (v) =>
        v.nodes.length === this.hosts.length &&
        v.nodes.every((n) => n.state === 'up' && n.connected),
      timeoutMs,
    )
  }

  online(group: string, node?: string, timeoutMs = 30_000): Promise<GroupView> {
    return this.until(
      `${group} is online${node ? ` on ${node}` : ''}`,
      (v) =>
        v.groups.find(
          (g) => g.name === group && g.state === 'online' && (!node || g.owner === node),
        ),
      timeoutMs,
    )
  }

  async addGroup(name: string, more: object = {}): Promise<void> {
    await this.api('createGroup', { params: { cluster: CLUSTER }, body: { name, ...more } })
  }

  async addProcess(
    name: string,
    group: string,
    args: readonly string[],
    more: {
      dependsOn?: string[]
      restart?: Partial<RestartPolicy>
      persistentState?: 0 | 1
      startGraceMs?: number
    } = {},
  ): Promise<void> {
    const { startGraceMs, ...rest } = more
    await this.api('createResource', {
      params: { cluster: CLUSTER },
      body: {
        name,
        group,
        type: 'process',
        properties: {
          command: process.execPath,
          args: [...args],
          ...(startGraceMs !== undefined && { startGraceMs }),
        },
        ...rest,
      },
    })
  }

  /** @param writeMs how often it writes to the store that all hosts share; 0: never */
  async addWitness(
    name: string,
    group: string,
    restart: Partial<RestartPolicy> = {},
    writeMs: number = 0,
  ): Promise<void> {
    const args = [program('witness.ts'), this.witnessFolder(name)]
    if (writeMs > 0) args.push('0', String(writeMs))
    await this.addProcess(name, group, args, { restart })
  }

  async addVm(name: string, group: string, restart: Partial<RestartPolicy> = {}): Promise<void> {
    const image = join(this.folder, 'vm', `${name}.img`)
    if (!existsSync(image)) writeTinyImage(image)
    const xml = tinyDomainXml({ name, image, serialLog: this.vmSerialLog(name) })
    await this.api('createResource', {
      params: { cluster: CLUSTER },
      body: {
        name,
        group,
        type: 'virtual-machine',
        properties: {
          ...{ domain: name, xml, shutdownTimeoutMs: 10_000 },
          saveFolder: join(this.folder, 'vm'),
        },
        restart,
      },
    })
  }

  vmSerialLog(name: string): string {
    return join(this.folder, 'vm', `${name}.serial`)
  }

  witnessFolder(name: string): string {
    return join(this.folder, 'witness', name)
  }

  /** What the witness has recorded, oldest first. */
  ledger(name: string): LedgerLine[] {
    return readLines(join(this.witnessFolder(name), 'ledger'))
  }

  /** What the witness has written to the store that all hosts share, in the store's order. */
  writes(name: string): LedgerLine[] {
    return readLines(join(this.witnessFolder(name), 'writes'))
  }

  overlaps(name: string): number {
    return this.ledger(name).filter((line) => line.what === 'overlap').length
  }

  /** Orderly: every host has its groups released; then the control plane. */
  async stop(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.shutDown()))
    for (const host of this.hosts) await host.options.libvirt?.killAll()
    await this.control.stop()
  }

  /** For tests that are over: nothing of it is left running. */
  async kill(): Promise<void> {
    for (const host of this.hosts) if (host.url !== null) host.powerCut()
    for (const host of this.hosts) await host.options.libvirt?.killAll()
    await this.control.stop()
  }
}

export interface LedgerLine {
  what: 'start' | 'end' | 'overlap' | 'write'
  /** Milliseconds since boot. */
  atMs: number
  owner: string
  epoch: number
  name: string
  pid: number
}

export function readLines(path: string): LedgerLine[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as LedgerLine)
}

export const program = (name: string) => new URL(`./${name}`, import.meta.url).pathname

/** This demo's host policy: Node.js, and domains of any name on the host's own libvirtd. */
function policyOf(folder: string, libvirt: LibvirtHost | null): HostPolicy {
  return {
    process: { commands: [process.execPath, '/bin/sleep', '/bin/sh'] },
    ...(libvirt && {
      'virtual-machine': {
        domains: ['*'],
        socket: libvirt.socket,
        paths: [join(folder, 'vm/*')],
        // All hosts of a demo are on one machine, and their libvirts reach each other by their sockets.
        migration: {
          connect: `qemu+unix:///system?socket=${libvirt.socket}`,
          address: '127.0.0.1',
          sharedStorage: true,
        },
      },
    }),
  }
}

function brief(view: ClusterView | null): string {
  if (!view) return 'no answer'
  const nodes = view.nodes.map((n) => `${n.name} ${n.state}${n.connected ? '' : ' (no session)'}`)
  const groups = view.groups.map(
    (g) =>
      `${g.name} ${g.state} on ${g.owner} epoch ${g.epoch} [${g.resources.map((r) => `${r.name} ${r.status}`).join(', ')}]`,
  )
  return [...nodes, ...groups].join('; ')
}
