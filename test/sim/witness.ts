/** What really runs, and where: the judge of "never on two at once". It knows no rule of the product. */
import type { Kernel } from './kernel.ts'

export interface Overlap {
  readonly group: string
  readonly atMs: number
  readonly hosts: readonly string[]
}

export class Witness {
  readonly #kernel: Kernel
  /** Group → host → processes that live, a dying one included. */
  readonly #running = new Map<string, Map<string, number>>()
  readonly overlaps: Overlap[] = []
  starts = 0

  constructor(kernel: Kernel) {
    this.#kernel = kernel
  }

  started(group: string, host: string): void {
    this.starts += 1
    const hosts = this.#running.get(group) ?? new Map<string, number>()
    this.#running.set(group, hosts)
    hosts.set(host, (hosts.get(host) ?? 0) + 1)
    if (hosts.size > 1)
      this.overlaps.push({ group, atMs: this.#kernel.nowMs, hosts: [...hosts.keys()] })
  }

  ended(group: string, host: string): void {
    const hosts = this.#running.get(group)
    const left = (hosts?.get(host) ?? 0) - 1
    if (left > 0) hosts?.set(host, left)
    else hosts?.delete(host)
  }

  /** Hosts on which something of the group runs now. */
  hostsOf(group: string): string[] {
    return [...(this.#running.get(group)?.keys() ?? [])]
  }
}
