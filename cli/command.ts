/** Small things that all commands share. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { parseDuration } from './duration.ts'
import { type GlobalFlags, Session } from './session.ts'
import type { Surroundings } from './surroundings.ts'

/** What a command does: returns its exit code, or nothing for 0. */
export type Action<A extends unknown[], O> = (
  session: Session,
  options: O,
  ...args: A
) => Promise<number | undefined>

/** Runs commands, and remembers the exit code of the one that ran. */
export class Runner {
  readonly surroundings: Surroundings
  exitCode = 0
  /** Set once the options are parsed: errors are shown the way they ask for. */
  session: Session | null = null

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings
  }

  /** Makes an action for commander: it passes the arguments, then the options, then the command. */
  action<A extends unknown[], O = unknown>(run: Action<A, O>) {
    return async (...all: unknown[]): Promise<void> => {
      const command = all.at(-1) as Command
      const options = command.optsWithGlobals()
      this.session = new Session(options as GlobalFlags, this.surroundings)
      this.exitCode = (await run(this.session, options as O, ...(all.slice(0, -2) as A))) ?? 0
    }
  }
}

export const list = (text: string): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

export const collect = (one: string, before: string[] = []): string[] => [...before, one]

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Write a whole number.')
  return Number(text)
}

export const duration = (flags: string, about: string): Option =>
  new Option(`${flags} <time>`, about).argParser(parseDuration)

/** A point in time: so long ago (`1h`), or an instant (`2026-11-23T12:03:11Z`). */
export const instant = (flags: string, about: string): Option =>
  new Option(`${flags} <time>`, `${about}: 1h ago, or 2026-11-23T12:03:11Z`).argParser(
    (text: string) => {
      if (/^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/.test(text)) return Date.now() - parseDuration(text)
      const atMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
      if (Number.isFinite(atMs)) return atMs
      throw new InvalidArgumentError('Write how long ago (30s, 5m, 2h, 1d) or an instant in UTC.')
    },
  )

/** A group of commands, e.g. `holdfast node …`. */
export function noun(name: string, about: string): Command {
  return new Command(name).description(about)
}
