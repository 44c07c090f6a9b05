/** Hears from the kernel of every host when it gets an address that only one may have, and loses it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { bootMs } from '../../probe/clock.ts'
import type { Freezes } from './freezes.ts'
import { stoodStill } from './judge.ts'
import type { Network } from './network.ts'

export class AddressWatch {
  readonly address: string
  readonly #network: Network
  readonly #freezes: Freezes
  readonly #children: ChildProcess[] = []
  readonly #owners = new Set<string>()
  readonly #left = new Map<string, number>()
  readonly overlaps: string[] = []
  byFreeze = 0

  /** @param address with its prefix length */
  constructor(address: string, hosts: readonly string[], network: Network, freezes: Freezes) {
    this.address = address
    this.#network = network
    this.#freezes = freezes
    for (const host of hosts) {
      const [command = '', ...args] = network.enter(host)
      const child = spawn(command, [...args, 'ip', '-oneline', 'monitor', 'address'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      this.#children.push(child)
      createInterface(child.stdout).on('line', (line) => {
        if (line.includes(` ${address} `)) this.#heard(host, line.startsWith('Deleted'))
      })
    }
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGKILL')
  }

  hosts(): string[] {
    return [...this.#owners].sort()
  }

  isOn(host: string): boolean {
    return this.#owners.has(host)
  }

  timesLeft(host: string): number {
    return this.#left.get(host) ?? 0
  }

  #heard(host: string, gone: boolean): void {
    if (gone) {
      this.#owners.delete(host)
      this.#left.set(host, this.timesLeft(host) + 1)
      return
    }
    // What one host has lost just before may not be heard of yet: its kernel is asked.
    const others = this.hosts().filter((other) => other !== host && this.#has(other))
    this.#owners.add(host)
    if (others.length === 0) return
    const still = others.filter((other) => stoodStill(this.#freezes.all, other, bootMs()))
    if (still.length === others.length) this.byFreeze += 1
    else this.overlaps.push(this.#told(host, others))
  }

  /** With what whoever has to find out why needs to know. */
  #told(host: string, others: readonly string[]): string {
    const ago = this.#freezes.all
      .filter((freeze) => others.includes(freeze.host))
      .map((freeze) => `${freeze.host} went on ${Math.round(bootMs() - freeze.untilMs)} ms before`)
    return [`${this.address} on ${[host, ...others].join(' and ')}`, ...ago.slice(-1)].join(', ')
  }

  #has(host: string): boolean {
    const [command = '', ...args] = this.#network.enter(host)
    const shown = spawnSync(command, [...args, 'ip', '-oneline', 'address', 'show', 'dev', 'eth0'])
    return shown.stdout.toString().includes(` ${this.address} `)
  }
}
