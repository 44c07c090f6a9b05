/** Calling an operator's executable for one answer: bounded in time and output, and then gone. */
import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ActionGroup, actionGroup } from './action-group.ts'

export interface ActionSpec {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** So many bytes of its standard output are kept apart; absent: none. */
  readonly stdoutBytes?: number | undefined
}

export interface ActionEnd {
  /** Null: ended by a signal, or killed because its time was up. */
  readonly code: number | null
  readonly timedOut: boolean
  /** The end of what it has written. */
  readonly output: string
  /** The end of its standard output alone, as far as that was asked for. */
  readonly stdout: string
  /** Nothing of it runs. Has resolved already, but for what even SIGKILL does not end at once. */
  readonly gone: Promise<void>
}

const OUTPUT_BYTES_MAX = 16 * 1024
/** After its end, for output that is still in the pipe. */
const DRAIN_LOOKS = 5
const DRAIN_LOOK_MS = 10
/** So long an answer waits for what was killed to be gone; only the kernel can hold that up. */
const KILLED_MS = 2_000
/** How often what was killed is looked at and killed again: at first at once, then ever slower. */
const LOOK_FIRST_MS = 1
const LOOK_MAX_MS = 500

/** Another user must be let in: it waits until it is where it belongs. */
const WAIT = 'read -r go && exec "$@" </dev/null'
/** It has not got to where it belongs, and has done nothing. */
const NOT_IN = 'holdfast: it cannot enter its group'
const NOT_IN_CODE = 126

/**
 * In a group of its own, all of which is killed at the deadline, when the call is cancelled, and
 * when the action has ended: what an action leaves behind is not a workload, for the guard does not
 * know it (G2). There is no answer while any of it runs.
 *
 * @throws {Error} it cannot be executed
 */
export async function runAction(spec: ActionSpec): Promise<ActionEnd> {
  if (spec.signal.aborted) throw new Error('the call was ended')
  try {
    accessSync(spec.command, constants.X_OK)
  } catch (error) {
    throw new Error(`${spec.command} cannot be called: ${(error as Error).message}`)
  }
  const group = actionGroup()
  const isOther = spec.uid !== undefined || spec.gid !== undefined
  // Each pipe costs a wake-up of this process: only those that are needed are made.
  const isApart = spec.stdoutBytes !== undefined
  const child = spawn(
    '/bin/sh',
    ['-c', script(group, isOther, isApart), 'sh', spec.command, ...spec.args],
    {
      detached: true,
      stdio: [isOther ? 'pipe' : 'ignore', 'pipe', isApart ? 'pipe' : 'ignore'],
      env: { ...spec.env, ...group.env },
      ...(spec.cwd !== undefined && { cwd: spec.cwd }),
      ...(spec.uid !== undefined && { uid: spec.uid }),
      ...(spec.gid !== undefined && { gid: spec.gid }),
    },
  )
  const tail = new Tail(OUTPUT_BYTES_MAX)
  const stdout = new Tail(spec.stdoutBytes ?? 0)
  child.stdout?.on('data', (chunk: Buffer) => {
    tail.add(chunk)
    stdout.add(chunk)
  })
  child.stderr?.on('data', (chunk: Buffer) => tail.add(chunk))
  // Killed while it waits.
  child.stdin?.on('error', () => {})
  // What holds its pipes open is killed with it, and is then waited for no longer.
  const closed = new Promise((resolve) => child.once('close', resolve))
  const { ended, timedOut } = watched(spec, child, group)
  let gone = Promise.resolve()
  try {
    const code = await ended
    if (!group.end()) {
      gone = untilGone(group)
      await Promise.race([gone, sleep(KILLED_MS, undefined, { ref: false })])
    }
    await drained(closed)
    if (code === NOT_IN_CODE && tail.text().includes(NOT_IN)) throw new Error(NOT_IN)
    return { code, timedOut: timedOut(), output: tail.text(), stdout: stdout.text(), gone }
  } catch (error) {
    await untilGone(group)
    throw new Error(`${spec.command} cannot be called: ${(error as Error).message}`)
  } finally {
    child.stdout?.destroy()
    child.stderr?.destroy()
  }
}

/** Nothing that it does is done anywhere else than in its group. */
function script(group: ActionGroup, isOther: boolean, isApart: boolean): string {
  const joined = isApart ? '' : 'exec 2>&1; '
  if (isOther) return `${joined}${WAIT}`
  return `${joined}${group.enterScript} || { echo '${NOT_IN}'; exit ${NOT_IN_CODE}; }; exec "$@"`
}

/**
 * Until its pipes are at their end, which whoever has left its group may hold open: so many looks
 * later. Looks, not time: a busy process can pass any time without having read what is there.
 */
async function drained(closed: Promise<unknown>): Promise<void> {
  let open = true
  void closed.then(() => {
    open = false
  })
  for (let look = 0; open && look < DRAIN_LOOKS; look += 1)
    await Promise.race([closed, sleep(DRAIN_LOOK_MS)])
}

/** Lets it go on from where it waits, and ends it when its time is up or nobody wants it. */
function watched(
  spec: ActionSpec,
  child: ChildProcess,
  group: ActionGroup,
): { ended: Promise<number | null>; timedOut(): boolean } {
  let late = false
  const ended = new Promise<number | null>((resolve, reject) => {
    const kill = () => {
      killAll(child, group)
      // One that the kernel does not let go: its end is not waited for.
      setTimeout(resolve, KILLED_MS, null).unref()
    }
    const timer = setTimeout(() => {
      late = true
      kill()
    }, spec.timeoutMs)
    spec.signal.addEventListener('abort', kill, { once: true })
    const settle = () => {
      clearTimeout(timer)
      spec.signal.removeEventListener('abort', kill)
    }
    child.once('error', (error) => {
      settle()
      reject(error)
    })
    child.once('exit', (code) => {
      settle()
      // Now, and not later: its number may soon be that of another process.
      killAll(child, group)
      resolve(code)
    })
    if (child.pid === undefined) return
    if (spec.signal.aborted) kill()
    if (child.stdin === null) return
    group.enter(child.pid).then(
      () => child.stdin?.end('go\n'),
      (error) => {
        reject(error)
        killAll(child, group)
      },
    )
  })
  return { ended, timedOut: () => late }
}

/** Kills what is left, again and again until nothing runs. */
async function untilGone(group: ActionGroup): Promise<void> {
  for (let ms = LOOK_FIRST_MS; !group.end(); ms = Math.min(ms * 2, LOOK_MAX_MS)) await sleep(ms)
}

/** What has not got into its group yet is in its process group. */
function killAll({ pid }: ChildProcess, group: ActionGroup): void {
  // -1 is everybody.
  if (pid !== undefined && pid > 1)
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // Nothing of it is left.
    }
  group.end()
}

/** The last lines, on one line: a detail for people. */
export function lastLines(text: string, lengthMax = 500): string {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter(Boolean).slice(-5).join(' | ').slice(-lengthMax)
}

/** The last bytes of a stream, however much it says. */
class Tail {
  readonly #max: number
  #parts: Buffer[] = []
  #bytes = 0

  constructor(max: number) {
    this.#max = max
  }

  add(chunk: Buffer): void {
    if (this.#max === 0) return
    this.#parts.push(chunk.subarray(-this.#max))
    this.#bytes += Math.min(chunk.length, this.#max)
    while (this.#bytes - (this.#parts[0]?.length ?? 0) >= this.#max)
      this.#bytes -= this.#parts.shift()?.length ?? 0
  }

  text(): string {
    return this.#max === 0 ? '' : Buffer.concat(this.#parts).subarray(-this.#max).toString('utf8')
  }
}
