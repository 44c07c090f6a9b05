/** What /proc says of a process. A pid is only an identity together with its start time. */
import { readFileSync } from 'node:fs'
import { withReserve } from '../reserve.ts'

export interface Identity {
  readonly pid: number
  /** Clock ticks since boot, field 22 of /proc/PID/stat. */
  readonly startTicks: number
}

/**
 * The process that has this pid now, or null. A zombie is dead: its reaper may take seconds.
 *
 * @throws {Error} it cannot be looked at (no file descriptors, no memory): that proves nothing (G5)
 */
export function identityOf(pid: number): Identity | null {
  let stat: string
  try {
    stat = withReserve(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
  // The command's name may hold blanks and brackets: fields are counted after the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return null
  const startTicks = Number(fields[19])
  return Number.isSafeInteger(startTicks) ? { pid, startTicks } : null
}

/** Nothing of this name exists (any more). Any other error says that it could not be seen. */
export function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ESRCH' || code === 'ENODEV'
}

export function isAlive(process: Identity): boolean {
  return identityOf(process.pid)?.startTicks === process.startTicks
}

/**
 * Whether a process of this pid exists, a zombie included: a fraction of the price of a look at /proc, for
 * who is told of its end anyway by whoever waits for it.
 */
export function exists({ pid }: Pick<Identity, 'pid'>): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The arguments of a process, or null when it is gone. */
export function argumentsOf(pid: number): readonly string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    return text === '' ? null : text.replace(/\0$/, '').split('\0')
  } catch {
    return null
  }
}
