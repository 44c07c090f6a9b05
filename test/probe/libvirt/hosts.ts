/** A host with a real libvirtd and real virtual machines, and a guard reduced to its gate. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LibvirtHost, libvirtMissing, startLibvirtHost } from '../../../demo/libvirt-host.ts'
import { tinyDomainXml, writeTinyImage } from '../../../demo/vm/domain.ts'
import { type GateAsk, listenGate } from '../../../probe/gate/gate-listener.ts'
import { installGate } from '../../../probe/gate/gate-script.ts'
import { type Identity, isAlive } from '../../../probe/gate/proc.ts'
import type { Call, Workload } from '../../../schema/resource-type.ts'
import type { VirtualMachineProperties } from '../../../schema/resource-types/virtual-machine.ts'
import { virtualMachineProperties } from '../../../schema/resource-types/virtual-machine.ts'

export const EMULATOR = '/usr/bin/qemu-system-x86_64'

/** Null, or why tests with real virtual machines are skipped; said once per file. */
export const missing = libvirtMissing()
if (missing !== null) console.warn(`SKIPPED: tests with real virtual machines: ${missing}`)

/** The guard's gate without the rest of the guard: what is permitted by name gets a yes. */
export class GateGuard {
  readonly asks: GateAsk[] = []
  readonly ends: { process: Identity; atMs: number }[] = []
  readonly permitted = new Set<string>()
  readonly running = new Map<string, Identity>()
  readonly #listeners = new Map<string, Set<() => void>>()
  #gate: { close(): void } | null = null

  listen(folder: string): this {
    this.#gate = listenGate(folder, {
      ask: (ask) => this.#ask(ask),
      ended: (process) => this.#ended(process),
    })
    return this
  }

  close(): void {
    this.#gate?.close()
    this.#gate = null
  }

  workload(name: string): Workload {
    const guard = this
    return {
      get process() {
        return guard.running.get(name) ?? null
      },
      startChild: () => Promise.reject(new Error('not this way')),
      permitGate: async (gateName) => void guard.permitted.add(gateName),
      signal: () => Promise.reject(new Error('not this way')),
      async stop() {
        guard.permitted.delete(name)
        const process = guard.running.get(name)
        if (process === undefined) return
        if (isAlive(process)) globalThis.process.kill(process.pid, 'SIGKILL')
        await until(() => !isAlive(process), 5_000, 'the emulator does not die')
        guard.running.delete(name)
      },
      permitCopy: () => Promise.reject(new Error('not this way')),
      carried: () => Promise.reject(new Error('not this way')),
      onExit(listener) {
        const all = guard.#listeners.get(name) ?? new Set()
        guard.#listeners.set(name, all)
        const tell = () => listener({ code: null, signal: null })
        all.add(tell)
        return () => void all.delete(tell)
      },
    }
  }

  #ask(ask: GateAsk): { yes: boolean; reason?: string } {
    this.asks.push(ask)
    if (!this.permitted.has(ask.gateName)) return { yes: false, reason: 'no grant for this start' }
    this.running.set(ask.gateName, ask.process)
    return { yes: true }
  }

  #ended(process: Identity): void {
    this.ends.push({ process, atMs: performance.now() })
    for (const [name, running] of this.running) {
      if (running.pid !== process.pid) continue
      this.running.delete(name)
      for (const tell of this.#listeners.get(name) ?? []) tell()
    }
  }
}

export interface TestHost extends LibvirtHost {
  readonly gateFolder: string
  readonly gate: string
  readonly guard: GateGuard
}

export async function startTestHost(): Promise<TestHost> {
  const host = await startLibvirtHost()
  const gateFolder = join(host.folder, 'gate')
  const gate = installGate(gateFolder, { emulator: EMULATOR, waitSeconds: 2 })
  const guard = new GateGuard().listen(gateFolder)
  return { ...host, gateFolder, gate, guard }
}

export async function endTestHost(host: TestHost | undefined): Promise<void> {
  host?.guard.close()
  await host?.killAll()
}

export interface TinyVm {
  readonly name: string
  readonly guid: string
  readonly image: string
  readonly serialLog: string
  readonly xml: string
}

/** A tiny guest with a disk of its own on this host. */
export function tinyVm(host: TestHost, name: string): TinyVm {
  const image = join(host.folder, `${name}.img`)
  const serialLog = join(host.folder, `${name}.serial`)
  const guid = randomUUID()
  writeTinyImage(image)
  return {
    name,
    guid,
    image,
    serialLog,
    xml: tinyDomainXml({ name, uuid: guid, image, serialLog }),
  }
}

export function callOf(
  host: TestHost,
  vm: TinyVm,
  change: Partial<VirtualMachineProperties> & { persistentState?: 0 | 1 } = {},
): Call<VirtualMachineProperties> & { readonly logged: string[] } {
  const logged: string[] = []
  const { persistentState = 1, ...properties } = change
  return {
    guid: vm.guid,
    name: vm.name,
    groupId: randomUUID(),
    nodeName: 'n1',
    epoch: 1,
    persistentState,
    hiveSeq: 1,
    dependent: false,
    carry: null,
    resume: null,
    properties: virtualMachineProperties.parse({ domain: vm.name, xml: vm.xml, ...properties }),
    signal: AbortSignal.timeout(60_000),
    progress: () => undefined,
    log: (message) => void logged.push(message),
    workload: host.guard.workload(vm.name),
    logged,
  }
}

export async function guestSays(vm: TinyVm, text: string, times = 1): Promise<void> {
  await until(
    () => readOr(vm.serialLog).split(text).length > times,
    20_000,
    `the guest has not said "${text}" ${times} times`,
  )
}

export function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

export async function until(
  met: () => boolean | Promise<boolean>,
  timeoutMs: number,
  otherwise: string,
): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await met())) {
    if (performance.now() > end) throw new Error(otherwise)
    await sleep(2)
  }
}
