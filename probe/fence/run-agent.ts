/** One run of a fence agent: a child in a process group of its own, which goes when its time is up. */
import { spawn } from 'node:child_process'

/** Of what it says, the end. */
const OUTPUT_LENGTH_MAX = 2_000
/** Something that it left behind may hold its output open; that long it is read. */
const LAST_WORDS_MS = 100

export interface AgentRun {
  /** Exit code; null when it was killed or never began. */
  readonly code: number | null
  readonly timedOut: boolean
  readonly output: string
  readonly tookMs: number
}

/** @param input lines `key=value`, as the fence agents take them on standard input */
export function runAgent(path: string, input: string, timeoutMs: number): Promise<AgentRun> {
  const beganMs = performance.now()
  return new Promise((resolve) => {
    let output = ''
    let timedOut = false
    let done = false
    const child = spawn(path, [], {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: '/',
    })
    const killGroup = () => {
      if (child.pid === undefined || child.pid <= 1) return
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // Nothing of it is left.
      }
    }
    const timer = setTimeout(() => {
      timedOut = true
      killGroup()
    }, timeoutMs)
    const end = (code: number | null, said: string) => {
      if (done) return
      done = true
      clearTimeout(timer)
      const tookMs = performance.now() - beganMs
      resolve({ code: timedOut ? null : code, timedOut, output: said.trim(), tookMs })
    }
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-OUTPUT_LENGTH_MAX)
      })
    // One that reads nothing and ends has closed it: its exit code says what is to be known.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    child.on('error', (error) => end(null, String(error)))
    child.on('close', (code) => end(code, output))
    child.on('exit', (code) => {
      // What it started (an ssh, say) is of no use without it.
      killGroup()
      setTimeout(() => end(code, output), LAST_WORDS_MS)
    })
  })
}
