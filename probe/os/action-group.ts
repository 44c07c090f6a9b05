/**
 * What actions run in, one after the other, so that all of one can be ended. The guard has no record of
 * an action (G3): what it leaves behind, with `setsid` too, would run on after "nothing runs".
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { identityOf } from '../gate/proc.ts'
import { MARK } from './marks.ts'

export interface ActionGroup {
  readonly kind: 'cgroup' | 'mark'
  /** By which its processes, and those of the monitor that calls it, are found again. */
  readonly env: Readonly<Record<string, string>>
  /** Puts a process in. @throws {Error} it cannot be done */
  enter(pid: number): void
  /** Whether nothing but this process runs in it. What cannot be looked at proves nothing (G5). */
  holdsOnly(pid: number): boolean
  /** Kills what runs of it. True: nothing does, and its place is given back. */
  end(): boolean
}

const PREFIX = 'action-'
/** Without cgroups: what an action has daemonised is found by this, whatever its parents were. */
const RUN_MARK = 'HOLDFAST_ACTION_RUN'

/** Links of a cgroup's folder that has no other in it. */
const NO_FOLDERS = 2
/** How often what was killed is looked at and killed again: at first at once, then ever slower. */
const LOOK_FIRST_MS = 1
const LOOK_MAX_MS = 500

let next = 1
/** The cgroup that this process was in when leftovers were last looked for. */
let tidied = ''
/** One below which that was tried: it is so for all of them. */
let killable = ''

/** Below the cgroup of this process, which the guard kills whole with it; else by mark. */
export function actionGroup(): ActionGroup {
  const name = `${PREFIX}${process.pid}-${next}`
  next += 1
  const mark = process.env[MARK]
  const env: Record<string, string> = mark === undefined ? {} : { [MARK]: mark }
  const base = process.env['HOLDFAST_NO_CGROUP'] ? null : ownCgroup()
  if (base === null) return byMark(name, env)
  if (base !== tidied) removeLeftovers(base)
  tidied = base
  const folder = join(base, name)
  try {
    mkdirSync(folder)
    if (base !== killable) tryKill(folder)
    killable = base
  } catch {
    removeTree(folder)
    return byMark(name, env)
  }
  const [events, kill] = [join(folder, 'cgroup.events'), join(folder, 'cgroup.kill')]
  const procs = join(folder, 'cgroup.procs')
  let isGone = false
  return {
    kind: 'cgroup',
    env,
    enter: (pid) => writeFileSync(procs, String(pid)),
    holdsOnly(pid) {
      try {
        const own = `${pid}\n`
        const found = readFileSync(procs, 'latin1')
        // A link for each folder in it, besides its own two: few actions make cgroups.
        if (statSync(folder).nlink > NO_FOLDERS) return false
        return found === own || found.split('\n').every((line) => isNobody(line, pid))
      } catch {
        return false
      }
    },
    end() {
      // It was empty, and nothing enters a cgroup that is not there.
      if (isGone) return true
      try {
        const runs = !/^populated 0$/m.test(readFileSync(events, 'latin1'))
        if (runs) writeFileSync(kill, '1')
        else isGone = removeTree(folder)
        return !runs
      } catch (error) {
        // What cannot be looked at proves nothing (G5).
        return (error as NodeJS.ErrnoException).code === 'ENOENT'
      }
    },
  }
}

/** @throws {Error} before Linux 5.14 there is no such file, and a cgroup cannot be killed whole */
function tryKill(folder: string): void {
  readFileSync(join(folder, 'cgroup.events'))
  writeFileSync(join(folder, 'cgroup.kill'), '1')
}

function byMark(name: string, env: Record<string, string>): ActionGroup {
  const word = `${RUN_MARK}=${name}`
  return {
    kind: 'mark',
    env: { ...env, [RUN_MARK]: name },
    enter: () => {},
    holdsOnly(pid) {
      try {
        return withMark(word).every((found) => found === pid)
      } catch {
        return false
      }
    },
    end() {
      try {
        const found = withMark(word)
        for (const pid of found) killPid(pid)
        return found.length === 0
      } catch {
        return false
      }
    },
  }
}

/** Kills what is left, again and again until nothing runs. */
export async function untilGone(group: ActionGroup): Promise<void> {
  for (let ms = LOOK_FIRST_MS; !group.end(); ms = Math.min(ms * 2, LOOK_MAX_MS)) await sleep(ms)
}

/** A line of `cgroup.procs` that is empty, the process itself, or one that is dead already. */
function isNobody(line: string, pid: number): boolean {
  return line === '' || Number(line) === pid || identityOf(Number(line)) === null
}

/** Where this process is now: the guard moves it after its start, and may not have been able to. */
function ownCgroup(): string | null {
  const mount = cgroupMount()
  const own = readFileSync('/proc/self/cgroup', 'latin1')
    .split('\n')
    .find((line) => line.startsWith('0::'))
  return mount === null || own === undefined ? null : join(mount, own.slice(3))
}

let mount: string | null | undefined

/** Read once: it does not change while a host is up. */
function cgroupMount(): string | null {
  mount ??=
    readFileSync('/proc/self/mounts', 'latin1')
      .split('\n')
      .map((line) => line.split(' '))
      .find((fields) => fields[2] === 'cgroup2')?.[1] ?? null
  return mount
}

/** Of a monitor that was killed in an action: the guard has killed that too, its folder stays. */
function removeLeftovers(base: string): void {
  for (const name of folders(base)) {
    if (!name.startsWith(PREFIX)) continue
    const pid = Number(name.slice(PREFIX.length).split('-')[0])
    if (pid !== process.pid && identityOf(pid) === null) removeTree(join(base, name))
  }
}

/** @returns whether it is gone now, which most are at the first try: few actions make cgroups of their own */
function removeTree(folder: string): boolean {
  if (isRemoved(folder)) return true
  for (const name of folders(folder)) removeTree(join(folder, name))
  return isRemoved(folder)
}

/** Else somebody is in it. A folder that stays costs nothing but its name. */
function isRemoved(folder: string): boolean {
  try {
    rmdirSync(folder)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}

function folders(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  } catch {
    return []
  }
}

function withMark(word: string): number[] {
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) return []
    try {
      const environ = readFileSync(`/proc/${entry}/environ`, 'latin1')
      return environ.split('\0').includes(word) && identityOf(pid) ? [pid] : []
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EMFILE' || code === 'ENFILE') throw error
      return []
    }
  })
}

function killPid(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone between the look and the kill.
  }
}
