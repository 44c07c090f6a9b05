/** Arguments of `npm run chaos`. */
import { parseArgs } from 'node:util'
import { FAULT_KINDS, type FaultKind } from './kinds.ts'

export interface Arguments {
  readonly faults: number
  readonly seed: number
  readonly json: boolean
  /** Folder with the hosts' logs stays. */
  readonly keep: boolean
  readonly only: readonly FaultKind[]
  /** It runs in the namespaces already, with this folder. */
  readonly inside: string | null
}

export class BadArgument extends Error {}

/** @throws {BadArgument} */
export function parseArguments(words: readonly string[]): Arguments {
  const values = parsed(words)
  return {
    faults: count('--faults', values.faults, 1, 100_000),
    seed: count('--seed', values.seed, 1, 0xffff_ffff),
    json: values.json,
    keep: values.keep,
    only: kinds(values.only),
    inside: values.inside ?? null,
  }
}

function parsed(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      options: {
        faults: { type: 'string', default: '50' },
        seed: { type: 'string', default: '1' },
        only: { type: 'string' },
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        inside: { type: 'string' },
      },
    }).values
  } catch (error) {
    throw new BadArgument((error as Error).message)
  }
}

function count(name: string, text: string, low: number, high: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= low && value <= high) return value
  throw new BadArgument(`${name} takes a whole number from ${low} to ${high}, not "${text}"`)
}

function kinds(text: string | undefined): readonly FaultKind[] {
  if (text === undefined) return FAULT_KINDS
  return text.split(',').map((word) => {
    const found = FAULT_KINDS.find((kind) => kind === word)
    if (found) return found
    throw new BadArgument(`--only: no fault "${word}"; there are ${FAULT_KINDS.join(', ')}`)
  })
}
