/**
 * Shells that wait to run one action after the other. A fork of this process copies the page tables of
 * all of Node.js, and each page that it writes to afterwards; a shell's `vfork` copies nothing. And a
 * shell is in its group once and for all: nothing has to be made, entered and removed for a call.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import { type ActionGroup, actionGroup, untilGone } from './action-group.ts'
import { MARK } from './marks.ts'

/** Who runs an action, and where. */
export interface ActionPlace {
  readonly cwd?: string | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
}

export interface ActionWords {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Its standard output is told apart from what it complains of. */
  readonly isApart: boolean
}

export interface ActionListener {
  /** What the action writes: its standard output, and all the rest too unless that is apart. */
  out(chunk: Buffer): void
  complaints(chunk: Buffer): void
}

/** One that nobody has used for so long is ended: checks come every few seconds, or every minute. */
const IDLE_MS = 150_000
/** So many wait for each kind of place; what a burst needs beyond that is ended after it. */
const WAITING_MAX = 16

/** A signal to a whole process group, as `kill 0` of an agent, ends the agent and not its shell. */
const PROLOGUE = 'trap : HUP INT TERM\n'
/** Of the shell itself, not of what it runs: somebody has killed it, or there was no memory. */
export class ShellEnded extends Error {}

/** Variables that a shell keeps for itself, or cannot have. */
const PLAIN = /^(?!(?:UID|EUID|PPID|SHELLOPTS|BASHOPTS|BASH_VERSINFO)$)[A-Za-z_][A-Za-z0-9_]*$/

const waiting = new Map<string, ActionShell[]>()

/** @throws {Error} no process could be started, or it cannot be put into its group */
export function takeShell(place: ActionPlace): ActionShell {
  const key = keyOf(place)
  const shells = waiting.get(key)
  for (let shell = shells?.pop(); shell; shell = shells?.pop()) if (shell.lives) return shell
  return new ActionShell(key, place)
}

/** It has run an action to its end, and nothing of that is left. */
export function giveBack(shell: ActionShell): void {
  const shells = waiting.get(shell.key) ?? []
  waiting.set(shell.key, shells)
  if (shells.length < WAITING_MAX) shells.push(shell)
  shell.idle(shells.includes(shell) ? IDLE_MS : 0)
}

/** Shells that run nothing now: there is nothing in them that somebody would have to end. */
export function waitingShells(): ReadonlySet<number> {
  return new Set([...waiting.values()].flat().flatMap(({ pid }) => pid ?? []))
}

/** Where this process is found and ended with its actions may change, and then none of these fits. */
function keyOf({ uid, gid, cwd }: ActionPlace): string {
  return [uid, gid, cwd, process.env['HOLDFAST_NO_CGROUP'], process.env[MARK]].join('\n')
}

export class ActionShell {
  readonly key: string
  readonly group: ActionGroup
  /** Its pipes are at their end: nobody holds them open. */
  readonly closed: Promise<unknown>
  readonly #child: ChildProcess
  readonly #token = randomUUID()
  readonly #listeners: Listener[] = []
  #ended: Error | null = null
  #fail: ((error: Error) => void) | null = null
  #idle: NodeJS.Timeout | null = null

  constructor(key: string, { cwd, uid, gid }: ActionPlace) {
    this.key = key
    this.group = actionGroup()
    this.#child = spawn('/bin/sh', ['-s'], {
      detached: true,
      // What the shell itself complains of may hold the words of its commands, and so secrets.
      stdio: ['pipe', 'pipe', 'ignore', 'pipe'],
      env: { ...this.group.env },
      ...(cwd !== undefined && { cwd }),
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
    })
    const child = this.#child
    this.closed = new Promise((resolve) => child.once('close', resolve))
    child.once('error', (error) => this.#over(error))
    child.once('exit', () => {
      // Now, and not later: its number may soon be that of another process.
      this.kill()
      this.#over(new ShellEnded('the shell that runs it was ended'))
    })
    for (const pipe of [child.stdin, child.stdout, child.stdio[3]]) {
      // Killed while it waits, or does not read.
      pipe?.on('error', () => {})
      // A process that has nothing else to do ends; a call under way is kept by its timer.
      if (pipe && 'unref' in pipe && typeof pipe.unref === 'function') pipe.unref()
    }
    child.unref()
    this.#listeners = [child.stdout, child.stdio[3]].map(
      (pipe) => new Listener(pipe as Readable, this.#token),
    )
    if (child.pid === undefined) return
    // Nothing that it does is done anywhere else than in its group.
    try {
      this.group.enter(child.pid)
    } catch (error) {
      this.kill()
      throw new Error(`it cannot enter its group: ${(error as Error).message}`)
    }
    child.stdin?.write(PROLOGUE)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get lives(): boolean {
    return this.#ended === null
  }

  /**
   * @returns its exit code, as a shell has it: 128 and the number of the signal that has ended it
   * @throws {ShellEnded} before it could say so
   * @throws {Error} it cannot be run
   */
  async run(words: ActionWords, { out, complaints }: ActionListener): Promise<number> {
    if (this.#idle) clearTimeout(this.#idle)
    this.#idle = null
    if (this.#ended) throw this.#ended
    const text = line(words, this.#token)
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject
    })
    const [first, second] = this.#listeners as [Listener, Listener]
    const ends = [first.until(out), ...(words.isApart ? [second.until(complaints)] : [])]
    this.#child.stdin?.write(text)
    const [code = Number.NaN] = await Promise.race([Promise.all(ends), failed])
    return code
  }

  /** It has been killed, and what could have been the beginning of its last word is not. */
  flush(): void {
    for (const listener of this.#listeners) listener.flush()
  }

  /** Whether nothing of an action that has ended is left. */
  isAlone(): boolean {
    const { pid } = this.#child
    return pid !== undefined && this.lives && this.group.holdsOnly(pid)
  }

  /** With all that is in its group. */
  kill(): void {
    const { pid } = this.#child
    // -1 is everybody.
    if (pid !== undefined && pid > 1 && this.lives)
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // Nothing of it is left.
      }
    this.group.end()
  }

  idle(ms: number): void {
    this.#idle = setTimeout(() => this.#child.stdin?.end(), ms).unref()
  }

  #over(error: Error): void {
    this.#ended = error
    this.#fail?.(error)
    void untilGone(this.group)
  }
}

/** One pipe of a shell, until the shell says on it how the action has ended. */
class Listener {
  readonly #token: string
  /** As much of the last chunks as the beginning of a token can be. */
  #rest: Buffer = Buffer.alloc(0)
  #take: ((chunk: Buffer) => void) | null = null
  #resolve: ((code: number) => void) | null = null

  constructor(pipe: Readable, token: string) {
    this.#token = token
    pipe.on('data', (chunk: Buffer) => this.#hear(chunk))
  }

  until(take: (chunk: Buffer) => void): Promise<number> {
    this.#rest = Buffer.alloc(0)
    this.#take = take
    return new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  flush(): void {
    this.#take?.(this.#rest)
    this.#take = null
  }

  #hear(chunk: Buffer): void {
    if (!this.#take) return
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    const at = bytes.indexOf(this.#token)
    const [, code] = at < 0 ? [] : (/ (\d+)\n/.exec(bytes.toString('latin1', at)) ?? [])
    if (code !== undefined) {
      if (at > 0) this.#take(bytes.subarray(0, at))
      this.#take = null
      this.#resolve?.(Number(code))
      return
    }
    const upTo = at < 0 ? Math.max(0, bytes.length - this.#token.length) : at
    if (upTo > 0) this.#take(bytes.subarray(0, upTo))
    this.#rest = bytes.subarray(upTo)
  }
}

/** A simple command, which a shell runs by `vfork`; one in brackets would be a fork, and then one more. */
function line({ command, args, env, isApart }: ActionWords, token: string): string {
  const plain: string[] = []
  const others: string[] = []
  for (const [name, value] of Object.entries(env))
    if (PLAIN.test(name)) plain.push(`${name}=${quoted(value)}`)
    else others.push(quoted(`${name}=${value}`))
  const by = others.length > 0 ? ['env', ...others] : []
  const run = [...plain, ...by, quoted(command), ...args.map(quoted)].join(' ')
  if (run.includes('\0')) throw new Error('a word or a variable of it holds a NUL')
  return isApart
    ? `${run} </dev/null 2>&3 3>&-; e="${token} $?"; echo "$e"; echo "$e" >&3\n`
    : `${run} </dev/null 2>&1 3>&-; echo ${token} $?\n`
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`
