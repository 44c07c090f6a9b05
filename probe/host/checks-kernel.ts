/** What the kernel of this host gives the guard to work with. */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bootMs, bootId as readBootId } from '../clock.ts'
import type { Check, Examined } from './checks.ts'

/** A host that keeps a few hundred workloads needs no more than these to start with. */
const PROCESSES_FREE_MIN = 1_000
const FILES_MIN = 4_096

export function killGroups({ guard }: Examined): Check {
  const name = 'kill groups'
  const usable = guard ? guard.killHandles === 'cgroup' : cgroupUsable()
  if (usable === true)
    return { name, state: 'ok', found: 'cgroup v2 with cgroup.kill: a workload dies whole' }
  return {
    ...{ name, state: 'warning' },
    found: `${usable || 'the guard found no cgroup v2 that it may use'}; workloads are found by a mark in their environment, which a program can shake off`,
    fix: 'Boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1), kernel 5.14 or later, and run as root.',
  }
}

/** @returns true, or why not */
function cgroupUsable(): true | string {
  const mount = field('/proc/self/mounts', (words) => words[2] === 'cgroup2')?.[1]
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'latin1'))?.[1]
  if (!mount || own === undefined) return 'no cgroup v2 is mounted'
  const folder = join(mount, own)
  // The root of the tree has no such file, every other group has.
  const groups = [folder, ...(own === '/' ? childrenOf(folder) : [])]
  const kills = groups.some((path) => existsSync(join(path, 'cgroup.kill')))
  if (!kills && own !== '/') return 'the kernel has no cgroup.kill'
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return `${folder} cannot be written`
  }
}

function childrenOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(folder, entry.name))
}

export function processLimits(host: Examined): Check {
  const name = 'processes'
  const most = Math.min(number('/proc/sys/kernel/pid_max'), number('/proc/sys/kernel/threads-max'))
  const running = Number(/\d+\/(\d+)/.exec(readFileSync('/proc/loadavg', 'latin1'))?.[1])
  const own = limitOf(host, 'Max processes')
  const free = Math.max(0, Math.min(most, own) - running)
  const found = `room for ${free} more`
  if (free >= PROCESSES_FREE_MIN) return { name, state: 'ok', found }
  return {
    ...{ name, state: 'warning', found },
    fix: 'Raise kernel.pid_max, kernel.threads-max or the limit of the service (TasksMax=, LimitNPROC=).',
  }
}

export function fileLimits(host: Examined): Check {
  const name = 'open files'
  const own = limitOf(host, 'Max open files')
  const [used = 0, , most = 0] = readFileSync('/proc/sys/fs/file-nr', 'latin1')
    .split(/\s+/)
    .map(Number)
  const found = `${Number.isFinite(own) ? own : 'any number'} for a process, ${used} of ${most} in use on this host`
  if (own >= FILES_MIN && most - used >= FILES_MIN) return { name, state: 'ok', found }
  return {
    ...{ name, state: 'warning', found },
    fix: 'Raise the limit of the service (LimitNOFILE=) or fs.file-max.',
  }
}

/** The hard limit: of the guard where one runs, else of this process. */
function limitOf({ guard }: Examined, what: string): number {
  const path = guard ? `/proc/${guard.guard.pid}/limits` : '/proc/self/limits'
  const line = readFileSync(path, 'latin1')
    .split('\n')
    .find((one) => one.startsWith(what))
  const hard = line?.slice(what.length).trim().split(/\s+/)[1]
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)
}

export function bootId(): Check {
  const name = 'boot id'
  try {
    return { name, state: 'ok', found: readBootId() }
  } catch (error) {
    return {
      ...{ name, state: 'problem', found: `it cannot be read: ${(error as Error).message}` },
      fix: 'Mount /proc with /proc/sys: the guard tells boots apart by it (rule F4).',
    }
  }
}

/** The lease is measured on it (L1): it has to count on, and to be as old as the boot is. */
export function uptime(): Check {
  const name = 'boot clock'
  try {
    const now = bootMs()
    const sinceBoot = Date.now() - number('/proc/stat', /^btime (\d+)/m) * 1_000
    const apart = Math.abs(now - sinceBoot)
    const found = `${Math.floor(now / 60_000)} min since boot`
    // In a time namespace, or after the wall clock was set, the two differ; the lease needs the first.
    if (now > 0 && apart < 60_000) return { name, state: 'ok', found }
    return {
      ...{ name, state: 'info' },
      found: `${found}; the wall clock says ${Math.floor(sinceBoot / 60_000)} min`,
    }
  } catch (error) {
    return {
      ...{ name, state: 'problem', found: `it cannot be read: ${(error as Error).message}` },
      fix: 'Mount /proc: leases are measured by /proc/uptime (rule L1).',
    }
  }
}

export function watchdog(): Check {
  const there = existsSync('/dev/watchdog')
  const found = there ? '/dev/watchdog is there' : 'no device'
  return {
    name: 'watchdog',
    state: 'info',
    found: `${found}; fed where the host policy has a section watchdog (G12)`,
  }
}

function field(path: string, fits: (words: string[]) => boolean): string[] | undefined {
  return readFileSync(path, 'latin1')
    .split('\n')
    .map((line) => line.split(' '))
    .find(fits)
}

const number = (path: string, pattern = /(\d+)/) =>
  Number(pattern.exec(readFileSync(path, 'latin1'))?.[1])
