/** Processes found by a variable in their environment, which their children inherit. */
import { readdirSync, readFileSync } from 'node:fs'
import { type Identity, identityOf } from '../gate/proc.ts'
import { isOutOfFiles, withReserve } from '../reserve.ts'

/** Names the kill group that a process belongs to: OWNER/GROUP, the owner being the node's GUID. */
export const MARK = 'HOLDFAST_KILL_GROUP'

export interface Marked extends Identity {
  /** The variable with its value. */
  readonly mark: string
}

/**
 * Live processes whose environment has a variable that is the text or, where that ends in a slash,
 * begins with it.
 *
 * @throws {Error} there are no file descriptors left to look, which proves nothing (G5)
 */
export function marked(text: string): Marked[] {
  const fits = (word: string) => (text.endsWith('/') ? word.startsWith(text) : word === text)
  const found: Marked[] = []
  for (const entry of withReserve(() => readdirSync('/proc'))) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) continue
    let environ: string
    try {
      environ = withReserve(() => readFileSync(`/proc/${entry}/environ`, 'latin1'))
    } catch (error) {
      if (isOutOfFiles(error)) throw error
      continue
    }
    const mark = environ.split('\0').find(fits)
    const identity = mark === undefined ? null : identityOf(pid)
    if (mark !== undefined && identity) found.push({ ...identity, mark })
  }
  return found
}

/** SIGKILL to one process. Never to a pid that stands for many (0, -1) or for init. */
export function killPid(pid: number): void {
  if (pid <= 1) return
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone between the look and the kill.
  }
}
