/**
 * `npm run sim`: whole clusters under virtual time, production code against a hostile world.
 *
 *   npm run sim -- [--seeds 200] [--from 1] [--nodes N] [--json]
 *   npm run sim -- --storm                  without the hours of daily life behind each storm
 *   npm run sim -- --life                   those hours alone: a fault every ten minutes
 *   npm run sim -- --freezes                hosts and guards that stand still (A5), counted apart
 *   npm run sim -- --seed N [--log]         one history, with everything that happened in it
 *   npm run sim -- --replay FILE [--log]    a history that was kept
 *   npm run sim -- --mutants [--json]       rules switched off: is each of them missed?
 *
 * A history that fails is made as short as it gets and written to sim-found/. Exit code 0 when
 * nothing was found, 1 when something was, 2 for arguments that make no sense.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { loadCode } from '../../sim/world/code.ts'
import { begin } from '../../sim/world/quiet.ts'
import { playAll } from './fleet.ts'
import { type HistoryResult, playHistory } from './history.ts'
import { playMutants } from './mutants/play.ts'
import { type Draw, drawPlan, type Plan } from './plan.ts'
import { BadHistory, parsePlan, planText } from './plan-text.ts'
import { shrink } from './shrink.ts'
import { addUp, emptySum, lastLine } from './sum.ts'
import { transcribe } from './transcript.ts'

const FOUND = 'sim-found'
const say = (line: string) => process.stdout.write(`${line}\n`)

class BadArgument extends Error {}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof BadArgument || error instanceof BadHistory)) throw error
  process.stderr.write(`error: ${error.message}\n`)
  process.exitCode = 2
}
process.exit()

async function main(): Promise<number> {
  const values = options()
  const draw: Draw = {
    ...(values.nodes !== undefined && { nodes: count('--nodes', values.nodes, 1, 64) }),
    freezes: values.freezes,
    only: values.storm ? 'storm' : values.life ? 'life' : undefined,
  }
  const from = count('--from', values.from, 1)
  if (values.replay !== undefined) {
    const plan = parsePlan(readHistory(values.replay), values.replay)
    return playOne(plan, values.log)
  }
  if (values.seed !== undefined)
    return playOne(drawPlan(count('--seed', values.seed, 1), draw), values.log)
  if (values.mutants)
    return playMutants({
      seeds: count('--seeds', values.seeds ?? '2000', 1),
      from,
      only: values.only ?? null,
      json: values.json,
      say,
    })
  return playSeeds(count('--seeds', values.seeds ?? '200', 1), from, draw, values.json)
}

function options() {
  try {
    return parseArgs({
      options: {
        seeds: { type: 'string' },
        from: { type: 'string', default: '1' },
        nodes: { type: 'string' },
        seed: { type: 'string' },
        replay: { type: 'string' },
        only: { type: 'string' },
        mutants: { type: 'boolean', default: false },
        freezes: { type: 'boolean', default: false },
        storm: { type: 'boolean', default: false },
        life: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        log: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    throw new BadArgument((error as Error).message)
  }
}

function count(name: string, text: string, least: number, most = 2 ** 31): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value <= most) return value
  throw new BadArgument(`${name} takes a whole number from ${least} to ${most}, not "${text}"`)
}

function readHistory(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new BadArgument(`${path} cannot be read: ${(error as Error).message}`)
  }
}

async function playOne(plan: Plan, log: boolean): Promise<number> {
  const code = await loadCode()
  const end = begin()
  let lines: () => string[] = () => []
  const result = await playHistory(plan, code, {
    watch: (scene) => {
      if (log) lines = transcribe(scene, plan)
    },
  })
  end()
  for (const line of lines()) say(line)
  for (const problem of result.problems) say(problem)
  say(
    `${result.problems.length} problems in ${Math.round(result.simulatedMs / 1000)} s of a cluster's life: ${result.events} turns, ${result.starts} starts, ${result.asked} calls of the API`,
  )
  return result.problems.length > 0 ? 1 : 0
}

async function playSeeds(seeds: number, from: number, draw: Draw, json: boolean): Promise<number> {
  const begun = process.hrtime.bigint()
  const sum = emptySum()
  const failed: HistoryResult[] = []
  let seed = from
  await playAll(
    () => {
      if (seed >= from + seeds) return null
      seed += 1
      return { seed: seed - 1, draw, mutant: null }
    },
    (_, { result, cpuMs }) => {
      addUp(sum, result, cpuMs)
      if (result.problems.length === 0) return
      failed.push(result)
      for (const problem of result.problems.slice(0, 3)) say(`seed ${result.seed}: ${problem}`)
    },
  )
  for (const result of failed.slice(0, 3)) await keep(result, draw)
  const tookMs = Number(process.hrtime.bigint() - begun) / 1e6
  say(lastLine(sum, { seeds, failed: failed.map((r) => r.seed), tookMs, json, ...draw }))
  return failed.length > 0 ? 1 : 0
}

/** As short as it gets, as a file that anyone can play. */
async function keep(result: HistoryResult, draw: Draw): Promise<void> {
  const code = await loadCode()
  const end = begin()
  const shrunk = await shrink(drawPlan(result.seed, draw), result.problems, code)
  end()
  mkdirSync(FOUND, { recursive: true })
  const path = `${FOUND}/seed-${result.seed}.history`
  writeFileSync(path, planText(shrunk.plan, shrunk.problems.slice(0, 3)))
  const { strikes, asks } = shrunk.plan
  say(
    `seed ${result.seed}: ${strikes.length} faults and ${asks.length} calls are enough (${shrunk.plays} plays): npm run sim -- --replay ${path} --log`,
  )
}
