/** What every command of a host works with: its folders, where the answer goes, and its exit code. */
import type { Command } from 'commander'

export interface Folders {
  /** Lasts: identity, replica. */
  readonly state: string
  /** Of this boot: the guard's state and sockets. */
  readonly run: string
  readonly policy: string
}

export const DEFAULT_FOLDERS: Folders = {
  state: '/var/lib/holdfast',
  run: '/run/holdfast',
  policy: '/etc/holdfast/policy.yaml',
}

export class Host {
  readonly folders: Folders
  readonly json: boolean

  constructor(flags: Folders & { readonly json?: true }) {
    this.folders = { state: flags.state, run: flags.run, policy: flags.policy }
    this.json = flags.json ?? false
  }

  /** The answer: with `--json` the document, the only one on stdout. */
  answer(document: object, text: string): void {
    process.stdout.write(this.json ? `${JSON.stringify(document)}\n` : ended(text))
  }

  /** Something to know on the way, for people; data goes to stdout. */
  note(text: string): void {
    process.stderr.write(ended(text))
  }
}

const ended = (text: string) => (text === '' || text.endsWith('\n') ? text : `${text}\n`)

type Work<O, A extends unknown[]> = (host: Host, options: O, ...args: A) => Promise<number>

/** Runs a command and remembers its exit code. */
export class Runner {
  exitCode = 0

  /** Makes an action for commander: it passes the arguments, then the options, then the command. */
  action<O, A extends unknown[] = []>(work: Work<O, A>) {
    return async (...all: unknown[]): Promise<void> => {
      const options = (all.at(-1) as Command).optsWithGlobals()
      const host = new Host(options as Folders & { json?: true })
      this.exitCode = await work(host, options as O, ...(all.slice(0, -2) as A))
    }
  }
}
