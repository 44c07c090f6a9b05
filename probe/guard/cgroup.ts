/**
 * Process groups that can be killed whole. With cgroup v2 a workload's every descendant is in a
 * cgroup of its own from before its `exec`, and dies by one write. Without (no root, no cgroup2)
 * descendants are found in /proc by a mark in their environment, which a program can shake off:
 * the status says which of the two a host has.
 */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Identity, isGone } from '../gate/proc.ts'
import { below, cgroupMount, inTree, ownCgroup, removeTree } from '../os/cgroup-tree.ts'
import { killPid, MARK, marked } from '../os/marks.ts'
import { withReserve } from '../reserve.ts'

export interface KillHandles {
  readonly kind: 'cgroup' | 'mark'
  /** Shell words that put the shell itself into the group before it becomes the workload. */
  enterScript(group: string): string
  /** Puts a process that has just been forked into the group. */
  enter(group: string, pid: number): void
  /** Its folder in cgroup v2, or null: it has none. */
  folder(group: string): string | null
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
  /** Kills all that is left in any group, and takes away what was made for groups. */
  end(): void
  /** Groups that exist, by name, wherever an earlier guard of this host has made them. */
  groups(): string[]
  /** Live processes that carry the mark of this group in their environment. */
  marked(group: string): Identity[]
}

/** Mark of the emulators that the gate became: they are in the groups of their manager. */
export const GATE_GROUP = 'gate'

/** @param owner unique on this machine: the node's GUID */
export function killHandles(owner: string, env = process.env): KillHandles {
  const base = env['HOLDFAST_NO_CGROUP'] ? null : cgroupBase(owner)
  return base ? cgroupHandles(base, owner) : markHandles(owner)
}

/**
 * Where earlier guards of this host have made their groups: one that ran from a terminal, or in
 * another slice, had another place. Found by name, whatever is remembered.
 */
function otherBases(base: string, owner: string): string[] {
  const mount = cgroupMount()
  if (mount === null) return []
  const found: string[] = []
  const look = (folder: string) => {
    for (const path of below(folder)) {
      const [, other] = /\/holdfast-([0-9a-f-]{36})$/.exec(path) ?? []
      if (other === undefined) look(path)
      else if (other === owner && path !== base) found.push(path)
    }
  }
  look(mount)
  return found
}

function cgroupBase(owner: string): string | null {
  const mount = cgroupMount()
  const own = ownCgroup()?.replace(/\/holdfast-[0-9a-f]{8}-[0-9a-f-]{27}(?:\/.*)?$/, '')
  if (mount === null || own === undefined) return null
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
  const others = otherBases(base, owner)
  const own = (group: string) => join(base, group)
  const path = (group: string) =>
    [own(group), ...others.map((other) => join(other, group))].find((p) => existsSync(p)) ??
    own(group)
  /** A folder that is missing proves nothing (G5): it may have been made under another name. */
  const byMark = (group: string) => marked(`${MARK}=${owner}/${group}`)
  return {
    kind: 'cgroup',
    enterScript(group) {
      mkdirSync(own(group), { recursive: true })
      return `echo $$ > '${own(group)}/cgroup.procs' && `
    },
    enter(group, pid) {
      mkdirSync(own(group), { recursive: true })
      writeFileSync(join(own(group), 'cgroup.procs'), String(pid))
    },
    folder: own,
    mark: (group) => ({ [MARK]: `${owner}/${group}` }),
    members: (group) =>
      existsSync(path(group)) ? inTree(path(group)) : byMark(group).map((found) => found.pid),
    killAll(group) {
      try {
        withReserve(() => writeFileSync(join(path(group), 'cgroup.kill'), '1'))
      } catch (error) {
        // Else it is tried again, since its members are still seen.
        if (isGone(error)) for (const { pid } of byMark(group)) killPid(pid)
      }
    },
    remove(group) {
      removeTree(path(group))
    },
    end() {
      for (const folder of below(base)) this.killAll(basename(folder))
      removeTree(base)
    },
    groups: () => [...new Set([base, ...others].flatMap(below).map((p) => basename(p)))],
    marked: byMark,
  }
}

function markHandles(owner: string): KillHandles {
  const find = (group: string) => marked(`${MARK}=${owner}/${group}`).map((found) => found.pid)
  return {
    kind: 'mark',
    enterScript: () => '',
    enter: () => {},
    folder: () => null,
    mark: (group) => ({ [MARK]: `${owner}/${group}` }),
    members: find,
    killAll(group) {
      // Twice: a process may have forked while the first round looked.
      for (let round = 0; round < 2; round += 1) for (const pid of find(group)) killPid(pid)
    },
    remove() {},
    end() {
      for (const { pid } of marked(`${MARK}=${owner}/`)) killPid(pid)
    },
    groups() {
      const prefix = `${MARK}=${owner}/`
      return [...new Set(marked(prefix).map((found) => found.mark.slice(prefix.length)))]
    },
    marked: (group) => marked(`${MARK}=${owner}/${group}`),
  }
}
