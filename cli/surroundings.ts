/** What a command line runs in. Nothing in cli/ looks at the process itself: so it also runs within another. */
import { resolve } from 'node:path'

/** Where text goes to. */
export type Sink = NodeJS.WritableStream & {
  readonly isTTY?: boolean | undefined
  /** Of a terminal: how wide it is. */
  readonly columns?: number | undefined
  /** Of this process, if it is a file of it: child processes can write to it themselves. */
  readonly fd?: number | undefined
}

/** Where text comes from. */
export type Source = NodeJS.ReadableStream & {
  readonly isTTY?: boolean | undefined
  readonly fd?: number | undefined
}

export type Environment = Readonly<Record<string, string | undefined>>

export interface Surroundings {
  readonly stdin: Source
  readonly stdout: Sink
  readonly stderr: Sink
  readonly env: Environment
  /** Paths on the command line begin here. */
  readonly cwd: string
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

/** Each is looked at when it is used: a working directory that is gone is no harm to `--help`. */
export function ofThisProcess(signal: AbortSignal): Surroundings {
  return {
    get stdin() {
      return process.stdin
    },
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    get cwd() {
      return process.cwd()
    },
    signal,
  }
}

/** Somebody can be asked, and can answer. */
export const isInteractive = ({ stdin, stderr }: Surroundings): boolean =>
  stdin.isTTY === true && stderr.isTTY === true

/** A path as it was typed, from the root. */
export const fromRoot = ({ cwd }: Surroundings, path: string): string => resolve(cwd, path)
