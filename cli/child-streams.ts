/** A child process of a command reads and writes where the command does. */
import type { ChildProcess } from 'node:child_process'
import type { Surroundings } from './surroundings.ts'

export type Streams = Pick<Surroundings, 'stdin' | 'stdout' | 'stderr'>

/** What it is started with: files of this process it gets itself, for any other stream there is a pipe. */
export const stdioOf = ({ stdin, stdout, stderr }: Streams) =>
  [stdin.fd ?? 'pipe', stdout.fd ?? 'pipe', stderr.fd ?? 'pipe'] as const

/** Passes on what goes through its pipes, where there are any. */
export function connect(child: ChildProcess, { stdin, stdout, stderr }: Streams): void {
  if (child.stdin) {
    // It need not read what it is given.
    child.stdin.on('error', () => {})
    stdin.pipe(child.stdin)
  }
  child.stdout?.pipe(stdout, { end: false })
  child.stderr?.pipe(stderr, { end: false })
}
