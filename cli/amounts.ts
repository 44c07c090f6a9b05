/** Named capacities on the command line and on the screen: `mem=64,cpu=16`. */
import { InvalidArgumentError } from 'commander'
import { list } from './command.ts'

function amounts(text: string): Record<string, number> {
  const pairs = list(text).map((one) => one.split('='))
  for (const [name = '', value = ''] of pairs)
    if (!/^[a-z][a-zA-Z0-9_-]*$/.test(name) || !/^\d+(?:\.\d+)?$/.test(value))
      throw new InvalidArgumentError('Write names and numbers, such as mem=64,cpu=16.')
  return Object.fromEntries(pairs.map(([name, value]) => [name as string, Number(value)]))
}

/** `none`: nothing is known, or needed, any more. (The parser of options takes null for no value.) */
export type AmountsOption = Record<string, number> | 'none'

export const amountsOrNone = (text: string): AmountsOption =>
  text === 'none' ? text : amounts(text)

export function amountsText(all: Readonly<Record<string, number>> | null): string {
  const said = Object.entries(all ?? {}).map(([name, value]) => `${name}=${value}`)
  return said.join(',') || '-'
}
