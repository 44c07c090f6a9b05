/**
 * Hosts and guards that stand still (assumption A5 does not hold). What their workloads do after
 * they go on, while the group runs elsewhere, is measured here and excused nowhere else.
 */
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Demo } from '../../demo/cluster.ts'
import type { DemoHost } from '../../demo/host.ts'
import { bootMs } from '../../probe/clock.ts'
import { argumentsOf, type Identity, identityOf, isAlive } from '../../probe/gate/proc.ts'
import { killHandles } from '../../probe/guard/cgroup.ts'
import { PROFILES, waitMs } from '../../schema/timing.ts'
import type { Freeze } from './judge.ts'

/** Whoever has stood still for longer has no lease any more. */
export const LEASE_MS = waitMs(PROFILES.test.ttlMs, PROFILES.test.marginMs)
/** A guard that goes on has ended what ran too long within this time, or it does not work. */
const TOO_LONG_MS = 10_000

interface Workload {
  readonly group: string
  readonly process: Identity
}

/** What of a host has no process that could be seen to end. */
export interface Processless {
  /** Whether it is on this host. */
  isOn(host: string): boolean
  /** How often it has left this host. */
  timesLeft(host: string): number
}

export class Freezes {
  readonly #demo: Demo
  readonly all: Freeze[] = []
  /** From going on to the last kill, for each freeze in which something came to run elsewhere by then. */
  readonly resumeOverlapMs: number[] = []
  /** What was not ended at all, though its lease had. */
  readonly neverEnded: string[] = []
  address: Processless | null = null

  constructor(demo: Demo) {
    this.#demo = demo
  }

  /** Everything of a host, or its guard alone, stands still for a while. */
  async stand(host: DemoHost, what: 'host' | 'guard', ms: number): Promise<void> {
    const freeze: Freeze = { host: host.name, fromMs: bootMs(), untilMs: Number.POSITIVE_INFINITY }
    this.all.push(freeze)
    const stopped = what === 'host' ? stopAll(host) : stopOnly(host.guardPid)
    await sleep(ms)
    const workloads = workloadsOf(this.#demo, host)
    const left = this.address?.isOn(host.name) ? this.address.timesLeft(host.name) : null
    const resumedMs = bootMs()
    for (const one of stopped) if (isAlive(one)) signal(one.pid, 'SIGCONT')
    // Shorter ones leave the host its lease, and all that it runs.
    if (ms >= LEASE_MS) await this.#ends(host, workloads, left, resumedMs)
    freeze.untilMs = bootMs()
  }

  /** Looks at processes, as often as it can: a ledger says nothing of the moment of a kill. */
  async #ends(
    host: DemoHost,
    workloads: readonly Workload[],
    left: number | null,
    resumedMs: number,
  ): Promise<void> {
    const elsewhere = new Set(
      workloads.map(({ group }) => group).filter((group) => runsElsewhere(this.#demo, host, group)),
    )
    let open = workloads
    let lastMs: number | null = null
    for (;;) {
      // Not all the time: the guard is to have the processor, not us.
      await sleep(1)
      const ended = open.filter((one) => !isAlive(one.process))
      open = open.filter((one) => !ended.includes(one))
      const tookMs = bootMs() - resumedMs
      for (const { group } of ended)
        if (elsewhere.has(group) || runsElsewhere(this.#demo, host, group)) lastMs = tookMs
      const stays = left !== null && this.#hasAddress(host, left)
      if (open.length === 0 && !stays) break
      if (tookMs < TOO_LONG_MS) continue
      for (const { group } of open) this.neverEnded.push(`${group} on ${host.name}`)
      if (stays) this.neverEnded.push(`the address on ${host.name}`)
      break
    }
    if (lastMs !== null) this.resumeOverlapMs.push(lastMs)
  }

  #hasAddress({ name }: DemoHost, left: number): boolean {
    return this.address?.isOn(name) === true && this.address.timesLeft(name) === left
  }
}

/** The guard first: what it does not see it does not answer. */
function stopAll(host: DemoHost): Identity[] {
  const stopped = new Map<number, Identity>()
  // Twice: one may have forked while the others were being stopped.
  for (let round = 0; round < 2; round += 1)
    for (const pid of pidsOf(host)) {
      const found = identityOf(pid)
      if (!found || stopped.has(pid)) continue
      signal(pid, 'SIGSTOP')
      stopped.set(pid, found)
    }
  return [...stopped.values()]
}

function stopOnly(pid: number | undefined): Identity[] {
  const found = pid === undefined ? null : identityOf(pid)
  if (!found) return []
  signal(found.pid, 'SIGSTOP')
  return [found]
}

/** Every process of a host, the guard first. */
export function pidsOf(host: DemoHost): number[] {
  const { guard, agent, rhs, rhsExec } = host.treePids()
  const { libvirt } = host.options
  const handles = killHandles(host.nodeId)
  const known = [guard, agent, rhs, rhsExec, libvirt?.daemonPid()].filter((pid) => pid != null)
  const emulators = [...(libvirt?.emulators().values() ?? [])]
  return [...known, ...emulators, ...handles.groups().flatMap((group) => handles.members(group))]
}

function workloadsOf(demo: Demo, host: DemoHost): Workload[] {
  const found: Workload[] = []
  for (const pid of pidsOf(host)) {
    const group = witnessOf(demo, pid) ?? guestOf(host, pid)
    const process = group === null ? null : identityOf(pid)
    if (group !== null && process) found.push({ group, process })
  }
  return found
}

function guestOf(host: DemoHost, pid: number): string | null {
  for (const [name, emulator] of host.options.libvirt?.emulators() ?? [])
    if (emulator === pid) return name
  return null
}

/** The group of a witness's process, its grandchild included. */
function witnessOf(demo: Demo, pid: number): string | null {
  const words = argumentsOf(pid) ?? []
  const folder = words.find((word) => word.startsWith(demo.witnessFolder('')))
  return folder === undefined ? null : (folder.split('/').at(-1) as string)
}

function runsElsewhere(demo: Demo, host: DemoHost, group: string): boolean {
  const others = demo.hosts.filter((other) => other !== host)
  if (others.some((other) => other.options.libvirt?.emulators().has(group))) return true
  const last = demo.ledger(group).findLast((line) => line.what === 'start')
  return last !== undefined && last.owner !== host.name
}

/** Witnesses that run on this machine, whatever host they are of: name → pids. */
export function livingWitnesses(demo: Demo): Map<string, number[]> {
  const found = new Map<string, number[]>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    const name = witnessOf(demo, pid)
    if (name === null || argumentsOf(pid)?.includes('grandchild') || !identityOf(pid)) continue
    found.set(name, [...(found.get(name) ?? []), pid])
  }
  return found
}

export function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended meanwhile.
  }
}
