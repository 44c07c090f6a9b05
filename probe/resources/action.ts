/** Calling an operator's executable for one answer: bounded in time and output, and then gone. */
import { accessSync, constants } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { untilGone } from '../os/action-group.ts'
import { type ActionShell, giveBack, ShellEnded, takeShell } from '../os/action-shell.ts'

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
  /** Null: ended by a signal (or so it says, as shells do), or killed because its time was up. */
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

/**
 * In a group of its own, all of which is killed at the deadline, when the call is cancelled, and
 * when the action has ended: what an action leaves behind is not a workload, for the guard does not
 * know it (G2). There is no answer while any of it runs.
 *
 * @throws {ShellEnded} nobody knows how it has ended
 * @throws {Error} it cannot be executed
 */
export async function runAction(spec: ActionSpec): Promise<ActionEnd> {
  if (spec.signal.aborted) throw new Error('the call was ended')
  let shell: ActionShell
  try {
    accessSync(spec.command, constants.X_OK)
    shell = takeShell(spec)
  } catch (error) {
    throw new Error(`${spec.command} cannot be called: ${(error as Error).message}`)
  }
  const tail = new Tail(OUTPUT_BYTES_MAX)
  const stdout = new Tail(spec.stdoutBytes ?? 0)
  const ended = shell.run(
    { ...spec, isApart: spec.stdoutBytes !== undefined },
    {
      out(chunk) {
        tail.add(chunk)
        stdout.add(chunk)
      },
      complaints: (chunk) => tail.add(chunk),
    },
  )
  const { code, timedOut } = await bounded(spec, shell, ended)
  const end = (gone: Promise<void>): ActionEnd => {
    const byShell = code !== null && isSignal(code)
    const said = { output: tail.text(), stdout: stdout.text() }
    return { code: byShell ? null : code, timedOut, ...said, gone }
  }
  if (code !== null && shell.isAlone()) {
    giveBack(shell)
    return end(Promise.resolve())
  }
  shell.kill()
  const gone = untilGone(shell.group)
  await Promise.race([gone, sleep(KILLED_MS, undefined, { ref: false })])
  if (code === null) {
    await drained(shell.closed)
    shell.flush()
  }
  return end(gone)
}

/** As a shell says it of what was ended by one: OCF's own codes begin further up. */
const isSignal = (code: number) => code > 128 && code < 160

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

/**
 * Ends it when its time is up or nobody wants it: then there is no code.
 *
 * @throws {Error} it cannot be called, or its shell was ended
 */
async function bounded(
  { command, timeoutMs, signal }: ActionSpec,
  shell: ActionShell,
  ended: Promise<number>,
): Promise<{ code: number | null; timedOut: boolean }> {
  let end: 'late' | 'unwanted' | null = null
  let timer: NodeJS.Timeout | undefined
  let unwanted = () => {}
  const killed = new Promise<null>((resolve) => {
    const kill = (why: 'late' | 'unwanted') => {
      end ??= why
      shell.kill()
      // One that the kernel does not let go: its end is not waited for.
      setTimeout(resolve, KILLED_MS, null).unref()
    }
    unwanted = () => kill('unwanted')
    timer = setTimeout(kill, timeoutMs, 'late')
    signal.addEventListener('abort', unwanted, { once: true })
  })
  try {
    const code = await Promise.race([ended, killed])
    return { code: end === null ? code : null, timedOut: end === 'late' }
  } catch (error) {
    if (end !== null) return { code: null, timedOut: end === 'late' }
    await untilGone(shell.group)
    if (error instanceof ShellEnded) throw error
    throw new Error(`${command} cannot be called: ${(error as Error).message}`)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', unwanted)
  }
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
