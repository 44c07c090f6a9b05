/** Calling an operator's executable for one answer: bounded in time and output, and then gone. */
import { spawn } from 'node:child_process'

export interface ActionSpec {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export interface ActionEnd {
  /** Null: ended by a signal, or killed because its time was up. */
  readonly code: number | null
  readonly timedOut: boolean
  /** The end of what it has written. */
  readonly output: string
}

const OUTPUT_BYTES_MAX = 16 * 1024
/** After its end, for output that is still in the pipe; a child that it left may hold that open. */
const DRAIN_MS = 50

/**
 * In a process group of its own, which is killed at the deadline, when the call is cancelled, and
 * when the action has ended: what an action leaves behind is not a workload, for the guard does not
 * know it (G2).
 *
 * @throws {Error} it cannot be executed
 */
export function runAction(spec: ActionSpec): Promise<ActionEnd> {
  return new Promise((resolve, reject) => {
    if (spec.signal.aborted) return reject(new Error('the call was ended'))
    const child = spawn(spec.command, [...spec.args], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...spec.env },
      ...(spec.cwd !== undefined && { cwd: spec.cwd }),
      ...(spec.uid !== undefined && { uid: spec.uid }),
      ...(spec.gid !== undefined && { gid: spec.gid }),
    })
    const tail = new Tail()
    child.stdout.on('data', (chunk: Buffer) => tail.add(chunk))
    child.stderr.on('data', (chunk: Buffer) => tail.add(chunk))
    let timedOut = false
    const kill = () => killGroup(child.pid)
    const timer = setTimeout(() => {
      timedOut = true
      kill()
    }, spec.timeoutMs)
    spec.signal.addEventListener('abort', kill, { once: true })
    const settle = () => {
      clearTimeout(timer)
      spec.signal.removeEventListener('abort', kill)
    }
    child.once('error', (error) => {
      settle()
      reject(new Error(`${spec.command} cannot be called: ${error.message}`))
    })
    child.once('exit', (code) => {
      settle()
      kill()
      const done = () => {
        child.stdout.destroy()
        child.stderr.destroy()
        resolve({ code, timedOut, output: tail.text() })
      }
      const drained = setTimeout(done, DRAIN_MS)
      child.once('close', () => {
        clearTimeout(drained)
        done()
      })
    })
  })
}

/** The last lines, on one line: a detail for people. */
export function lastLines(text: string, lengthMax = 500): string {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter(Boolean).slice(-5).join(' | ').slice(-lengthMax)
}

/** The last bytes of a stream, however much it says. */
class Tail {
  #parts: Buffer[] = []
  #bytes = 0

  add(chunk: Buffer): void {
    this.#parts.push(chunk.subarray(-OUTPUT_BYTES_MAX))
    this.#bytes += Math.min(chunk.length, OUTPUT_BYTES_MAX)
    while (this.#bytes - (this.#parts[0]?.length ?? 0) >= OUTPUT_BYTES_MAX)
      this.#bytes -= this.#parts.shift()?.length ?? 0
  }

  text(): string {
    return Buffer.concat(this.#parts).subarray(-OUTPUT_BYTES_MAX).toString('utf8')
  }
}

function killGroup(pid: number | undefined): void {
  // -1 is everybody.
  if (pid === undefined || pid <= 1) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
}
