/**
 * Looks all the time where a guest executes, and whether it does so in two places at once. Two judges:
 * both libvirts say "running" of a process that lives; and the kernel gives time to the virtual
 * processors of two processes by turns, which no daemon has to be asked for.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { DOMAIN, LibvirtClient, type LifecycleEvent } from '../../probe/libvirt/client.ts'
import type { Demo } from '../cluster.ts'
import type { DemoHost } from '../host.ts'

const LOOK_MS = 20
const WINDOW_MS = 1_000
/**
 * Changes of turn within the window. A copy that only waits has had its processor's thread run four
 * times; of two guests that execute each has its turn 18 times a second.
 */
const TURNS_MAX = 12
const ANSWER_MS = 1_000

export class ExecutionWatch {
  readonly overlaps: string[] = []
  readonly #demo: Demo
  readonly #domain: { name: string; uuid: string; id: number }
  readonly #clients = new Map<string, LibvirtClient>()
  readonly #ranNs = new Map<number, bigint>()
  readonly #turns: { pid: number; atMs: number }[] = []
  readonly #ended: Promise<unknown>
  #looks = true

  constructor(demo: Demo, name: string, uuid: string) {
    this.#demo = demo
    this.#domain = { name, uuid, id: -1 }
    for (const { name, options } of demo.hosts)
      this.#clients.set(name, new LibvirtClient(options.libvirt?.socket ?? ''))
    this.#ended = Promise.all([this.#every(() => this.#askBoth()), this.#every(() => this.#turn())])
  }

  async stop(): Promise<void> {
    this.#looks = false
    await this.#ended
    for (const client of this.#clients.values()) client.close()
  }

  client(host: DemoHost): LibvirtClient {
    return this.#clients.get(host.name) as LibvirtClient
  }

  /** One of `DOMAIN`; null: it is not there, or nobody says. */
  async state(host: DemoHost): Promise<number | null> {
    try {
      return (await this.client(host).state(this.#domain, { timeoutMs: ANSWER_MS })).state
    } catch {
      return null
    }
  }

  /** How much of its memory has left this host in the job that runs now. */
  async travelled(host: DemoHost): Promise<number> {
    try {
      return (await this.client(host).job(this.#domain, { timeoutMs: ANSWER_MS })).doneBytes
    } catch {
      return 0
    }
  }

  onEvent(host: DemoHost, told: (event: LifecycleEvent) => void): () => void {
    return this.client(host).onLifecycle((event) => {
      if (event.domain.uuid === this.#domain.uuid) told(event)
    })
  }

  emulator(host: DemoHost): number | null {
    return host.options.libvirt?.emulators().get(this.#domain.name) ?? null
  }

  async #every(look: () => unknown): Promise<void> {
    while (this.#looks) {
      await look()
      await sleep(LOOK_MS)
    }
  }

  /** The first one is asked again: a guest that has moved in between runs there no more. */
  async #askBoth(): Promise<void> {
    const [a, b] = this.#demo.hosts as [DemoHost, DemoHost]
    if ((await this.#runs(a)) && (await this.#runs(b)) && (await this.#runs(a)))
      this.overlaps.push('it runs here and there, by what both libvirts say')
  }

  async #runs(host: DemoHost): Promise<boolean> {
    return (await this.state(host)) === DOMAIN.running && this.emulator(host) !== null
  }

  #turn(): void {
    const atMs = performance.now()
    for (const host of this.#demo.hosts) {
      const pid = this.emulator(host)
      const ranNs = pid === null ? null : processorNs(pid)
      if (pid === null || ranNs === null) continue
      const before = this.#ranNs.get(pid)
      this.#ranNs.set(pid, ranNs)
      if (before !== undefined && ranNs > before) this.#turns.push({ pid, atMs })
    }
    while ((this.#turns[0]?.atMs ?? atMs) < atMs - WINDOW_MS) this.#turns.shift()
    const changes = this.#turns.filter(({ pid }, i) => i > 0 && pid !== this.#turns[i - 1]?.pid)
    if (changes.length < TURNS_MAX) return
    this.overlaps.push('the processors of two emulators run by turns')
    this.#turns.length = 0
  }
}

/** How long the threads of its virtual processors have run; null: there are none. */
function processorNs(pid: number): bigint | null {
  let sum: bigint | null = null
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const path = `/proc/${pid}/task/${task}`
      if (!readFileSync(`${path}/comm`, 'latin1').startsWith('CPU ')) continue
      const [ns = '0'] = readFileSync(`${path}/schedstat`, 'latin1').split(' ')
      sum = (sum ?? 0n) + BigInt(ns)
    }
  } catch {
    // It is gone.
  }
  return sum
}
