/** Looks all the time how many hosts run the emulator of a guest: a guest has no lock to hold. */
import { readlinkSync } from 'node:fs'
import type { Demo } from '../../demo/cluster.ts'
import { bootMs } from '../../probe/clock.ts'
import type { Freezes } from './freezes.ts'
import { stoodStill } from './judge.ts'

const LOOK_MS = 50

export class VmWatch {
  readonly #demo: Demo
  readonly #freezes: Freezes
  readonly #timer: NodeJS.Timeout
  #twice = false
  readonly overlaps: string[] = []
  byFreeze = 0

  constructor(demo: Demo, freezes: Freezes) {
    this.#demo = demo
    this.#freezes = freezes
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Hosts on which an emulator executes: before its gate has let it, it is not one. */
  hosts(): string[] {
    return this.#demo.hosts
      .filter((host) => [...(host.options.libvirt?.emulators().values() ?? [])].some(isEmulator))
      .map((host) => host.name)
  }

  #look(): void {
    const hosts = this.hosts()
    const twice = hosts.length > 1
    if (twice && !this.#twice) {
      const still = hosts.filter((host) => stoodStill(this.#freezes.all, host, bootMs()))
      if (hosts.length - still.length <= 1) this.byFreeze += 1
      else this.overlaps.push(`a guest on ${hosts.join(' and ')}`)
    }
    this.#twice = twice
  }
}

function isEmulator(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`).includes('qemu')
  } catch {
    return false
  }
}
