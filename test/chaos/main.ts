/**
 * `npm run chaos`: random faults on real processes, each host in a network namespace of its own.
 *
 *   npm run chaos -- [--faults 50] [--seed 1] [--only powerCut,cutIn] [--json] [--keep]
 *
 * One line per fault, or pair of them. Exit code 0 when nothing ran twice, everything came back in
 * time and nothing acknowledged was lost; 1 when not, or when this machine cannot do it; 2 for
 * arguments that make no sense.
 */
import { spawnSync } from 'node:child_process'
import { type Arguments, BadArgument, parseArguments } from './arguments.ts'
import { cannotRun, enclose } from './enclosure.ts'
import { run } from './run.ts'
import { passed, summary, table } from './sum.ts'

const words = process.argv.slice(2)
try {
  const args = parseArguments(words)
  process.exitCode = args.inside === null ? await outside(args) : await inside(args, args.inside)
} catch (error) {
  if (!(error instanceof BadArgument)) throw error
  process.stderr.write(`error: ${error.message}\n`)
  process.exitCode = 2
}
process.exit()

async function outside(args: Arguments): Promise<number> {
  const why = cannotRun()
  if (why === null) return enclose(words, args.keep)
  process.stderr.write(`error: there can be no chaos on this machine: ${why}\n`)
  return 1
}

async function inside(args: Arguments, folder: string): Promise<number> {
  // Names of network namespaces, and whatever else lies there, are for us alone.
  const done = spawnSync('sh', ['-c', 'mount -t tmpfs tmpfs /run && mkdir /run/netns'])
  if (done.status !== 0) throw new Error(`mount /run: ${done.stderr}`)
  const out = args.json ? process.stderr : process.stdout
  const sum = await run(args, folder, (line) => out.write(`${line}\n`))
  const result = summary(sum, args)
  out.write(`${table(sum)}\n`)
  process.stdout.write(`${JSON.stringify(result)}\n`)
  return passed(result) ? 0 : 1
}
