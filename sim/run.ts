/**
 * `holdfast sim run FILE …`: plays scenario files without a server, in virtual time. A process of its
 * own: the clocks and globals of a simulation are those of its process.
 *
 * Exit code 0 when expectations hold, 3 when one does not, 2 for a file that makes no sense.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { BadDocument } from '../cli/yaml-document.ts'
import type { Outcome } from './scenario/outcome.ts'
import { parseScenario } from './scenario/parse.ts'
import { playScenario } from './scenario/play.ts'
import { loadCode } from './world/code.ts'
import { begin } from './world/quiet.ts'

const UNMET = 3
const BAD = 2

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean' }, quiet: { type: 'boolean' } },
  allowPositionals: true,
})
const say = (line: string) => process.stdout.write(`${line}\n`)
process.exitCode = await main()
process.exit()

async function main(): Promise<number> {
  const code = await loadCode()
  const end = begin()
  let worst = 0
  try {
    for (const file of positionals) worst = Math.max(worst, await playFile(file))
  } finally {
    end()
  }
  return worst

  async function playFile(file: string): Promise<number> {
    try {
      const scenario = parseScenario(read(file), file)
      const { outcome, transcript } = await playScenario(scenario, code)
      if (!values.quiet && !values.json) for (const line of transcript) say(line)
      if (values.json) say(JSON.stringify(outcome))
      else for (const line of summary(scenario.id ?? file, outcome)) say(line)
      return outcome.ok ? 0 : UNMET
    } catch (error) {
      await refuse((error as Error).message)
      return BAD
    }
  }
}

/** Who has asked for it says so in its own way. */
async function refuse(bad: string): Promise<void> {
  if (!process.send) return void process.stderr.write(`error: ${bad}\n`)
  await new Promise((sent) => process.send?.({ bad }, sent))
}

/** @throws {BadDocument} */
function read(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    throw new BadDocument(`${file} cannot be read: ${(error as Error).message}`)
  }
}

function summary(name: string, { ok, placement, states, unmet, violations }: Outcome): string[] {
  const groups = Object.entries(placement).map(
    ([group, node]) => `  ${group}: ${states[group]} on ${node ?? 'no node'}`,
  )
  return [
    ...groups,
    ...violations.map((text) => `  violation: ${text}`),
    ...unmet.map((text) => `  unmet: ${text}`),
    `${name}: ${ok ? 'as expected' : 'not as expected'}`,
  ]
}
