/**
 * Process groups that can be killed whole. With cgroup v2 a workload's every descendant is in a
 * cgroup of its own from before its `exec`, and dies by one write. Without (no root, no cgroup2)
 * descendants are found in /proc by a mark in their environment, which a program can shake off:
 * the status says which of the two a host has.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { identityOf, isGone } from '../gate/proc.ts'
import { isOutOfFiles, withReserve } from '../reserve.ts'

export interface KillHandles {
  readonly kind: 'cgroup' | 'mark'
  /** Shell words that put the shell itself into the group before it becomes the workload. */
  enterScript(group: string): string
  /** Puts a process that has just been forked into the group. */
  enter(group: string, pid: number): void
  /** Environment by which a descendant is found again. */
  mark(group: string): Record<string, string>
  /**
   * Live processes of the group.
   *
   * @throws {Error} they cannot be looked at, which proves nothing (G5)
   */
  members(group: string): number[]
  killAll(group: string): void
  /** The group is no longer used. */
  remove(group: string): void
  /** Groups that exist, by name. */
  groups(): string[]
}

const MARK = 'HOLDFAST_KILL_GROUP'

/** @param owner unique on this machine: the node's GUID */
export function killHandles(owner: string, env = process.env): KillHandles {
  const base = env['HOLDFAST_NO_CGROUP'] ? null : cgroupBase(owner)
  return base ? cgroupHandles(base, owner) : markHandles(owner)
}

function cgroupBase(owner: string): string | null {
  const mount = readFileSync('/proc/self/mounts', 'latin1')
    .split('\n')
    .map((line) => line.split(' '))
    .find((fields) => fields[2] === 'cgroup2')?.[1]
  const own = readFileSync('/proc/self/cgroup', 'latin1')
    .split('\n')
    .find((line) => line.startsWith('0::'))
    ?.slice(3)
    .replace(/\/holdfast-.*$/, '')
  if (!mount || own === undefined) return null
  const base = join(mount, own, `holdfast-${owner}`)
  try {
    mkdirSync(join(base, 'probe-test'), { recursive: true })
    const usable = existsSync(join(base, 'probe-test', 'cgroup.kill'))
    rmdirSync(join(base, 'probe-test'))
    return usable ? base : null
  } catch {
    return null
  }
}

function cgroupHandles(base: string, owner: string): KillHandles {
  const path = (group: string) => join(base, group)
  return {
    kind: 'cgroup',
    enterScript(group) {
      mkdirSync(path(group), { recursive: true })
      return `echo $$ > '${path(group)}/cgroup.procs' && `
    },
    enter(group, pid) {
      mkdirSync(path(group), { recursive: true })
      writeFileSync(join(path(group), 'cgroup.procs'), String(pid))
    },
    mark: (group) => ({ [MARK]: `${owner}/${group}` }),
    members: (group) => inTree(path(group)),
    killAll(group) {
      try {
        withReserve(() => writeFileSync(join(path(group), 'cgroup.kill'), '1'))
      } catch {
        // There is no such group; or it is tried again, since its members are still seen.
      }
    },
    remove(group) {
      removeTree(path(group))
    },
    groups() {
      try {
        return readdirSync(base, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map((entry) => entry.name)
      } catch {
        return []
      }
    },
  }
}

/** A workload may have made cgroups of its own in its group: what is in those belongs to it too. */
function inTree(folder: string): number[] {
  try {
    const text = withReserve(() => readFileSync(join(folder, 'cgroup.procs'), 'latin1'))
    const own = text.split('\n').filter(Boolean).map(Number)
    return [...own, ...below(folder).flatMap(inTree)]
  } catch (error) {
    if (isGone(error)) return []
    throw error
  }
}

function removeTree(folder: string): void {
  try {
    for (const child of below(folder)) removeTree(child)
    rmdirSync(folder)
  } catch {
    // It is empty; a folder that stays costs nothing but its name.
  }
}

const below = (folder: string): string[] =>
  withReserve(() => readdirSync(folder, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(folder, entry.name))

function markHandles(owner: string): KillHandles {
  const find = (group: string) => marked(`${MARK}=${owner}/${group}`).map((found) => found.pid)
  return {
    kind: 'mark',
    enterScript: () => '',
    enter: () => {},
    mark: (group) => ({ [MARK]: `${owner}/${group}` }),
    members: find,
    killAll(group) {
      // Twice: a process may have forked while the first round looked.
      for (let round = 0; round < 2; round += 1)
        for (const pid of find(group)) {
          try {
            process.kill(pid, 'SIGKILL')
          } catch {
            // Gone already.
          }
        }
    },
    remove() {},
    groups() {
      const prefix = `${MARK}=${owner}/`
      return [...new Set(marked(prefix).map((found) => found.mark.slice(prefix.length)))]
    },
  }
}

/** Live processes whose environment has a variable that is, or begins with, the text. */
function marked(text: string): { pid: number; mark: string }[] {
  const found: { pid: number; mark: string }[] = []
  for (const entry of withReserve(() => readdirSync('/proc'))) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    let environ: string
    try {
      environ = withReserve(() => readFileSync(`/proc/${entry}/environ`, 'latin1'))
    } catch (error) {
      if (isOutOfFiles(error)) throw error
      continue
    }
    const mark = environ
      .split('\0')
      .find((word) => (text.endsWith('/') ? word.startsWith(text) : word === text))
    if (mark && identityOf(pid)) found.push({ pid, mark })
  }
  return found
}
