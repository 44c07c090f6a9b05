import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const BIN = fileURLToPath(new URL('../../bin/holdfast.js', import.meta.url))

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly env?: Record<string, string>
  readonly cwd?: string
  /** Ctrl-C once stdout or stderr has this text. */
  readonly interruptAt?: RegExp
  /** Ctrl-C when this is aborted. */
  readonly signal?: AbortSignal
}

/** Runs the command as a user does: a process of its own, nothing of ours in its environment. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: options.cwd ?? '/',
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', LANG: 'C.UTF-8', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  let interrupted = false
  const interrupt = () => {
    if (interrupted || !options.interruptAt?.test(stdout + stderr)) return
    interrupted = true
    child.kill('SIGINT')
  }
  options.signal?.addEventListener('abort', () => child.kill('SIGINT'))
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    interrupt()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    interrupt()
  })
  return new Promise((done) => {
    child.on('close', (code) => done({ code, stdout, stderr }))
  })
}
