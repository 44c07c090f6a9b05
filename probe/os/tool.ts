import { spawn } from 'node:child_process'

export interface ToolEnd {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const OUTPUT_MAX = 4 * 1024 * 1024
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Runs a tool of the host for a short answer; killed at its deadline.
 *
 * @throws {Error} it cannot be started
 */
export function runTool(
  command: string,
  args: readonly string[],
  timeoutMs: number,
  input = '',
): Promise<ToolEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { PATH, LC_ALL: 'C' },
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    })
    const parts = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8')
      child[name].on('data', (text: string) => {
        if (parts[name].length < OUTPUT_MAX) parts[name] += text
      })
    }
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...parts }))
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}
