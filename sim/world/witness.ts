/**
 * What really runs, where, and since when: the judge of "never on two at once". It knows no rule of
 * the product; a workload that is being stopped runs until it is gone.
 */
import type { Kernel } from './kernel.ts'

export interface Running {
  readonly resourceId: string
  readonly groupId: string
  readonly epoch: number
  readonly host: string
  readonly nodeId: string
}

export interface Overlap {
  readonly group: string
  readonly atMs: number
  readonly hosts: readonly string[]
}

export class Witness {
  readonly #kernel: Kernel
  readonly #running = new Map<string, Set<Running>>()
  readonly overlaps: Overlap[] = []
  /** Overlaps of a host that had stood still longer than any rule allows for (A5). */
  readonly excused: Overlap[] = []
  /** A second process of a resource that runs already, on whichever host. */
  readonly doubles: string[] = []
  /** Of stores that know epochs: writes of an older owner, which have to be refused. */
  refusedWrites = 0
  /** When a resource ran for the last time. */
  readonly #ranMs = new Map<string, number>()
  readonly #newestEpoch = new Map<string, number>()
  /** Hosts that stand still or have, by name: from when they went on, until they have caught up. */
  readonly #freezes = new Map<string, { resumedMs: number; untilMs: number }>()
  /** From going on again until the last of its workloads that ran too long was dead. */
  readonly resumeOverlapMs: number[] = []
  /** Told of each start and end, for checks that go along. */
  onStart: (running: Running) => void = () => {}
  onEnd: (running: Running) => void = () => {}
  starts = 0

  constructor(kernel: Kernel) {
    this.#kernel = kernel
  }

  get broken(): boolean {
    return this.overlaps.length + this.doubles.length > 0
  }

  started(running: Running): void {
    this.starts += 1
    const { groupId, host } = running
    const others = this.#running.get(groupId) ?? new Set<Running>()
    this.#running.set(groupId, others)
    for (const other of others)
      if (other.resourceId === running.resourceId && !this.isExcused(other.host))
        this.doubles.push(
          `DOUBLE: ${running.resourceId.slice(0, 8)} at ${Math.round(this.#kernel.nowMs)} ms on ${other.host} and ${host}`,
        )
    others.add(running)
    const hosts = [...new Set([...others].map((r) => r.host))]
    if (hosts.length > 1) {
      // With an epoch that is not older, no store could tell the two apart.
      const older = [...others].every((r) => r.host === host || r.epoch < running.epoch)
      const excused = older && hosts.some((name) => this.isExcused(name))
      const overlap = { group: groupId, atMs: this.#kernel.nowMs, hosts }
      ;(excused ? this.excused : this.overlaps).push(overlap)
    }
    this.write(running)
    this.onStart(running)
  }

  /** M5: memory that is older than what its workload has done since destroys data. */
  goesOn({ resourceId, groupId, host }: Running, stateAtMs: number | null): void {
    const runs = this.runningOf(groupId).some((other) => other.resourceId === resourceId)
    const ranMs = runs ? this.#kernel.nowMs : (this.#ranMs.get(resourceId) ?? 0)
    if (stateAtMs !== null && ranMs <= stateAtMs) return
    this.doubles.push(
      `STALE: ${resourceId.slice(0, 8)} goes on from a copy on ${host} at ${Math.round(this.#kernel.nowMs)} ms, and has run since (M5)`,
    )
  }

  ended(running: Running): void {
    const others = this.#running.get(running.groupId)
    if (!others?.delete(running)) return
    this.#ranMs.set(running.resourceId, this.#kernel.nowMs)
    this.onEnd(running)
    const since = this.#freezes.get(running.host)?.resumedMs ?? Number.POSITIVE_INFINITY
    // It ran beside a newer owner until now.
    const newest = this.#newestEpoch.get(running.groupId) ?? 0
    if (this.#kernel.nowMs >= since && running.epoch < newest)
      this.resumeOverlapMs.push(this.#kernel.nowMs - since)
  }

  /** A host or its guard stands still from now on; it goes on at that time. */
  stoodStill(host: string, resumedMs: number, untilMs: number): void {
    this.#freezes.set(host, { resumedMs, untilMs })
  }

  standsStill(host: string): boolean {
    return this.#kernel.nowMs < (this.#freezes.get(host)?.resumedMs ?? 0)
  }

  isExcused(host: string): boolean {
    return this.#kernel.nowMs <= (this.#freezes.get(host)?.untilMs ?? -1)
  }

  /** A workload writes, with its epoch, to a store that all hosts share. */
  write({ groupId, epoch }: Running): void {
    const newest = this.#newestEpoch.get(groupId) ?? 0
    if (epoch >= newest) this.#newestEpoch.set(groupId, epoch)
    else this.refusedWrites += 1
  }

  runningOf(groupId: string): Running[] {
    return [...(this.#running.get(groupId) ?? [])]
  }

  runningOn(host: string): Running[] {
    return [...this.#running.values()].flatMap((all) => [...all]).filter((r) => r.host === host)
  }

  /** Hosts on which something of the group runs now. */
  hostsOf(groupId: string): string[] {
    return [...new Set(this.runningOf(groupId).map((r) => r.host))]
  }
}
