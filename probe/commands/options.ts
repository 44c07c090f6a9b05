import { createInterface } from 'node:readline/promises'
import { InvalidArgumentError, Option } from 'commander'
import { HoldfastError } from '../../schema/errors.ts'
import type { Host } from './host.ts'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Where the hosts of the cluster hear each other (S-17). */
export const peersOption = (): Option =>
  new Option(
    '--peers <where>',
    'address, address:port or :port where other hosts of the cluster are heard, or off',
  ).default('auto', 'the address that reaches the control plane, any port')

/** `30s`, `500ms`, `1m`: a time that something may take, in milliseconds. */
export const timeout = (about: string, text: string): Option =>
  new Option('--timeout <time>', about).argParser(milliseconds).default(milliseconds(text), text)

function milliseconds(text: string): number {
  const [, count, unit = ''] = /^(\d{1,6}(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? []
  const ms = Number(count) * (UNITS[unit] ?? Number.NaN)
  // A timer of Node.js takes no more.
  if (ms > 0 && ms < 2 ** 31) return ms
  throw new InvalidArgumentError('Write a time, such as 500ms, 30s or 5m.')
}

/** Asks before what cannot be undone. @throws {HoldfastError} not confirmed; nothing was done */
export async function confirm(host: Host, what: string, yes: boolean): Promise<void> {
  if (yes) return
  if (!process.stdin.isTTY || !process.stderr.isTTY || host.json)
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `this would ${what}, and nobody can be asked`,
      why: 'There is no terminal, or --json was given, and --yes was not. Nothing was done.',
      remedy: 'Add --yes if that is what you want.',
    })
  const line = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await line.question(`This will ${what}. Go on? [y/N] `).finally(() => line.close())
  if (/^y(es)?$/i.test(answer.trim())) return
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: 'not confirmed',
    why: 'The answer was not "y". Nothing was done.',
    remedy: 'Run it again, and answer y, or add --yes.',
  })
}
