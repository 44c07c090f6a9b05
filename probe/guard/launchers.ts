/**
 * Shells that wait to become a workload. Forking this process and moving the child into a cgroup
 * takes 8 to 15 ms, most of it in the kernel; a launcher has both behind it. It goes on only by the
 * guard's own word, so a start is still one step in the guard (G2), and it is in its kill group
 * before there is anything to kill (G4 a). When the guard dies its input ends, and so does it.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import type { ChildSpec, ProcessRef } from '../../schema/workload.ts'
import { identityOf } from '../gate/proc.ts'
import type { KillHandles } from './cgroup.ts'
import { GUARD_NAME } from './tree-name.ts'

export interface Launched {
  readonly child: ChildProcess
  readonly process: ProcessRef
  /** Kill group of this start; a later start of the same resource gets another. */
  readonly group: string
}

/** Kept ready. A failover of many groups at once uses them up and then forks as it goes. */
const READY = 2
const REFILL_MS = 20

export class Launchers {
  readonly #handles: KillHandles
  readonly #ready: Launched[] = []
  #refill: NodeJS.Timeout | null = null
  #next = 0

  constructor(handles: KillHandles) {
    this.#handles = handles
    this.#fillSoon(0)
  }

  /** @throws {Error} the process could not be started */
  launch(spec: ChildSpec, log: string): Launched {
    // Another user can only be set at the fork.
    const own = spec.uid === undefined && spec.gid === undefined
    const launched = own ? (this.#takeReady() ?? this.#fork()) : this.#forkAs(spec, log)
    this.#fillSoon(REFILL_MS)
    const { stdin } = launched.child
    if (!stdin) throw new Error('no launcher could be started')
    stdin.end(script(spec, this.#handles.mark(launched.group), own ? log : null))
    return launched
  }

  /** Kill groups of launchers that wait: nobody else may take them for leftovers. */
  waiting(): Set<string> {
    return new Set(this.#ready.map((launched) => launched.group))
  }

  #takeReady(): Launched | null {
    for (;;) {
      const launched = this.#ready.shift()
      if (!launched) return null
      if (launched.child.exitCode === null && launched.child.signalCode === null) return launched
    }
  }

  /** As another user: that one may neither enter the kill group by itself nor open the log. */
  #forkAs(spec: ChildSpec, log: string): Launched {
    const fd = openSync(log, 'a', 0o600)
    try {
      return this.#fork({
        stdio: ['pipe', fd, fd],
        ...(spec.uid !== undefined && { uid: spec.uid }),
        ...(spec.gid !== undefined && { gid: spec.gid }),
      })
    } finally {
      closeSync(fd)
    }
  }

  #fork(as: SpawnOptions = { stdio: ['pipe', 'ignore', 'ignore'] }): Launched {
    this.#next += 1
    const group = `w-${GUARD_NAME}-${this.#next}`
    const enter = as.uid === undefined ? this.#handles.enterScript(group) : ''
    const child = spawn('/bin/sh', [], {
      detached: true,
      env: this.#handles.mark(group),
      ...as,
    })
    child.on('error', () => {})
    // One that is killed while it waits must not take the guard along.
    child.stdin?.on('error', () => {})
    const ref = child.pid === undefined ? null : identityOf(child.pid)
    if (!ref) throw new Error('no launcher could be started')
    if (as.uid !== undefined) this.#enter(group, child, ref.pid)
    // A workload is never started outside of its kill group.
    // What keeps the guard from the kernel's OOM killer is not for what it starts.
    const plain = 'echo 0 2>/dev/null >/proc/self/oom_score_adj'
    child.stdin?.write(`${plain}; ${enter}: || exit 126\n`)
    return { child, process: ref, group }
  }

  /** @throws {Error} it cannot be put into its kill group; then it is no more */
  #enter(group: string, child: ChildProcess, pid: number): void {
    try {
      this.#handles.enter(group, pid)
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
  }

  #fillSoon(afterMs: number): void {
    this.#refill ??= setTimeout(() => {
      this.#refill = null
      try {
        while (this.#ready.length < READY) this.#ready.push(this.#fork())
      } catch {
        // No process to be had now: the next start tries again, and says so if it fails.
      }
    }, afterMs)
  }
}

/** @param log null: what it writes goes where the shell's own output goes */
function script(spec: ChildSpec, mark: Record<string, string>, log: string | null): string {
  const exports = Object.entries({ ...spec.env, ...mark }).map(
    ([key, value]) => `export ${key}=${quoted(value)}`,
  )
  const enter = spec.cwd === undefined ? [] : [`cd ${quoted(spec.cwd)} || exit 126`]
  const words = [spec.command, ...spec.args].map(quoted).join(' ')
  const run = `exec ${words} </dev/null${log === null ? '' : ` >>${quoted(log)} 2>&1`}`
  // In braces the shell runs all of it or, when the guard died half-way through it, nothing.
  return `{\n${[...exports, ...enter, run].join('\n')}\n}\n`
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`
