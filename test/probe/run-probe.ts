/** The probe's command as a host has it: one bundle, run as a process of its own. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleProbe } from '../../tools/bundle-probe.ts'

export interface ProbeResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly tookMs: number
}

export interface ProbeOptions {
  readonly env?: Record<string, string>
  /** What is piped in; null: a pipe that nobody writes to. Default: nothing, closed. */
  readonly input?: string | null
  /** Words before the command, such as `script`, which gives it a terminal. */
  readonly under?: readonly string[]
}

export class ProbeUnderTest {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-probe-'))
  #script = ''

  async build(): Promise<void> {
    this.#script = (await bundleProbe(join(this.folder, 'dist'))).probe
  }

  get words(): string[] {
    return [process.execPath, this.#script]
  }

  /** Options that name folders of a host of its own. */
  folders(host: string): string[] {
    const at = (name: string) => join(this.folder, host, name)
    return ['--state', at('state'), '--run', at('run'), '--policy', at('policy.json')]
  }

  run(args: readonly string[], options: ProbeOptions = {}): Promise<ProbeResult> {
    const [file = '', ...words] = [...(options.under ?? []), ...this.words, ...args]
    const begun = performance.now()
    const child = spawn(file, words, {
      env: { PATH: process.env['PATH'] ?? '', ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    child.stdin.on('error', () => {})
    if (options.input !== null) child.stdin.end(options.input ?? '')
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    return new Promise((done) => {
      child.on('close', (code) => done({ code, stdout, stderr, tookMs: performance.now() - begun }))
    })
  }

  end(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
