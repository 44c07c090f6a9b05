/** What a guard that is gone for good has left running here, and its end. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../../schema/errors.ts'
import { identityOf, isAlive } from '../gate/proc.ts'
import { StateFile } from '../guard/state-file.ts'
import { MARK } from '../os/marks.ts'

const ROUND_MS = 50
const ROUNDS = 100

/**
 * Kills what belongs to a node that no guard holds any more. To be called under the guard's lock.
 *
 * @returns how many processes that was
 * @throws {HoldfastError} STATE_FOLDER: some of it does not die
 */
export async function killLeftovers(nodeId: string, runFolder: string): Promise<number> {
  const killed = new Set<number>()
  for (let round = 0; round < ROUNDS; round += 1) {
    const found = leftovers(nodeId, runFolder)
    if (found.length === 0) return killed.size
    for (const pid of found) {
      killed.add(pid)
      kill(pid)
    }
    await sleep(ROUND_MS)
  }
  const pids = leftovers(nodeId, runFolder).join(', ')
  throw new HoldfastError({
    code: 'STATE_FOLDER',
    message: 'something that this host ran for the cluster does not end',
    why: `It was killed and is still there: ${pids}. The identity is kept, since it names them.`,
    remedy: 'A process that hangs in the kernel ends with a restart of the host; then ask again.',
  })
}

/** In the node's cgroups, by the mark in its environment, or on the guard's record. */
function leftovers(nodeId: string, runFolder: string): number[] {
  const records = (new StateFile(runFolder).read()?.records ?? []).flatMap(({ process }) =>
    process && isAlive(process) ? [process.pid] : [],
  )
  const pids = [...cgroupMembers(nodeId), ...marked(nodeId), ...records]
  return [...new Set(pids)].filter((pid) => pid > 1 && pid !== process.pid)
}

function cgroupMembers(nodeId: string): number[] {
  const mount = readFileSync('/proc/self/mounts', 'latin1')
    .split('\n')
    .map((line) => line.split(' '))
    .find((words) => words[2] === 'cgroup2')?.[1]
  if (mount === undefined) return []
  return named(mount, `holdfast-${nodeId}`).flatMap((folder) => {
    const found = below(folder).flatMap(members)
    // All at once: what they fork meanwhile goes with them.
    writeIfThere(join(folder, 'cgroup.kill'), '1')
    return found
  })
}

/** Folders of that name, wherever the guard was started. */
function named(folder: string, name: string): string[] {
  return childrenOf(folder).flatMap((child) =>
    child === name ? [join(folder, child)] : named(join(folder, child), name),
  )
}

const below = (folder: string): string[] => [
  folder,
  ...childrenOf(folder).flatMap((child) => below(join(folder, child))),
]

function childrenOf(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
  } catch {
    // It has just been removed.
    return []
  }
}

function members(folder: string): number[] {
  try {
    const text = readFileSync(join(folder, 'cgroup.procs'), 'latin1')
    // One that has ended is listed until its parent has asked how.
    return text.split('\n').filter(Boolean).map(Number).filter(identityOf)
  } catch {
    return []
  }
}

function marked(nodeId: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((entry) => {
      try {
        const environ = readFileSync(`/proc/${entry}/environ`, 'latin1')
        return environ.split('\0').some((word) => word.startsWith(`${MARK}=${nodeId}/`))
      } catch {
        return false
      }
    })
    .map(Number)
}

function writeIfThere(path: string, text: string): void {
  try {
    writeFileSync(path, text)
  } catch {
    // Removed just now, or a kernel without it: its members are killed one by one.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}
