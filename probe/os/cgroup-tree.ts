/** The cgroup v2 tree, as far as processes are found and ended by it. */
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { isGone } from '../gate/proc.ts'
import { withReserve } from '../reserve.ts'

/** Where cgroup v2 is mounted, or null. */
export function cgroupMount(): string | null {
  const mounts = withReserve(() => readFileSync('/proc/self/mounts', 'latin1'))
  const fields = mounts.split('\n').map((line) => line.split(' '))
  return fields.find((words) => words[2] === 'cgroup2')?.[1] ?? null
}

/** The folder of this process under a controller of cgroup v1, or null: v1 does not have it here. */
export function controllerFolder(controller: string): string | null {
  const mounts = withReserve(() => readFileSync('/proc/self/mounts', 'latin1'))
  const fields = mounts.split('\n').map((line) => line.split(' '))
  const mount = fields.find(
    ([, , type, options = '']) => type === 'cgroup' && options.split(',').includes(controller),
  )?.[1]
  const groups = withReserve(() => readFileSync('/proc/self/cgroup', 'latin1')).split('\n')
  const own = groups.find((line) => line.split(':')[1]?.split(',').includes(controller))
  if (mount === undefined || own === undefined) return null
  const path = join(mount, own.split(':').slice(2).join(':'))
  // In a container the path may be that of the host, and the mount begin further down.
  return existsSync(path) ? path : existsSync(join(mount, 'cgroup.procs')) ? mount : null
}

/** The cgroup of this process, as a path below the mount, or null. */
export function ownCgroup(): string | null {
  const text = withReserve(() => readFileSync('/proc/self/cgroup', 'latin1'))
  return /^0::(.*)$/m.exec(text)?.[1] ?? null
}

/**
 * Folders in a folder, by path; none when it is gone.
 *
 * @throws {Error} it cannot be looked at, which proves nothing (G5)
 */
export function below(folder: string): string[] {
  try {
    return withReserve(() => readdirSync(folder, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name))
  } catch (error) {
    if (isGone(error)) return []
    throw error
  }
}

/**
 * Processes of a group, those in cgroups that a workload has made in its group included.
 *
 * @throws {Error} it cannot be looked at, which proves nothing (G5)
 */
export function inTree(folder: string): number[] {
  try {
    const text = withReserve(() => readFileSync(join(folder, 'cgroup.procs'), 'latin1'))
    const own = text.split('\n').filter(Boolean).map(Number)
    return [...own, ...below(folder).flatMap(inTree)]
  } catch (error) {
    if (isGone(error)) return []
    throw error
  }
}

export function removeTree(folder: string): void {
  try {
    for (const child of below(folder)) removeTree(child)
    rmdirSync(folder)
  } catch {
    // Somebody is in it, or it is gone. A folder that stays costs nothing but its name.
  }
}
