/** The command as a user runs it, within the process of the test or as one of its own. */
import { spawn } from 'node:child_process'
import { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { run } from '../../cli/run.ts'
import type { Surroundings } from '../../cli/surroundings.ts'

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
  /** What it reads from its standard input; by default there is nothing. */
  readonly input?: string
}

/** Runs the command in this process: no terminal, and nothing of ours in its environment. */
export async function runCli(
  args: readonly string[],
  options: CliOptions = {},
): Promise<CliResult> {
  const { input = '', interruptAt, signal, ...rest } = options
  const user = new AbortController()
  const stdout = new Heard(heard)
  const stderr = new Heard(heard)
  function heard(): void {
    // Later, as a signal comes: never within what it has just said.
    if (interruptAt?.test(stdout.text + stderr.text)) setImmediate(() => user.abort())
  }
  signal?.addEventListener('abort', () => user.abort())
  const streams = { stdin: Readable.from([input]), stdout, stderr }
  const code = await run(args, surroundings({ ...rest, ...streams, signal: user.signal }))
  return { code, stdout: stdout.text, stderr: stderr.text }
}

/** Those of a user who has nothing, where nothing else is said. */
export function surroundings(some: Partial<Surroundings> = {}): Surroundings {
  const quiet = { stdin: Readable.from([]), stdout: new Heard(), stderr: new Heard() }
  const signal = new AbortController().signal
  return { ...quiet, signal, cwd: '/', ...some, env: environment(some.env) }
}

const environment = (more: Surroundings['env'] = {}) => ({
  ...{ PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', LANG: 'C.UTF-8' },
  ...more,
})

/** What has been written. */
export class Heard extends Writable {
  readonly #parts: Buffer[] = []
  readonly #heard: () => void

  constructor(heard: () => void = () => {}) {
    super()
    this.#heard = heard
  }

  override _write(part: Buffer, _encoding: string, done: () => void): void {
    this.#parts.push(part)
    this.#heard()
    done()
  }

  get text(): string {
    return Buffer.concat(this.#parts).toString()
  }
}

export interface ProcessOptions extends CliOptions {
  /** A second Ctrl-C, once there is this text. */
  readonly interruptAgainAt?: RegExp
}

/** The same as a process of its own: for what only a process shows. */
export function runCliProcess(
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<CliResult> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: options.cwd ?? '/',
    env: environment(options.env),
    stdio: 'pipe',
  })
  // It need not read what it is given.
  child.stdin.on('error', () => {})
  child.stdin.end(options.input)
  let stdout = ''
  let stderr = ''
  const interrupts = [options.interruptAt, options.interruptAgainAt]
  const interrupt = () => {
    if (!interrupts[0]?.test(stdout + stderr)) return
    interrupts.shift()
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
