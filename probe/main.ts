/** `holdfast-probe`: the command on a host. `run` is the guard itself, and loads nothing else. */
import { argv } from 'node:process'

const args = argv.slice(2)

process.exitCode = (await guard()) ?? (await command())

/** @returns null when the command line is not that of a guard */
async function guard(): Promise<number | null> {
  if (args[0] !== 'run') return null
  const { run, runOptions } = await import('./commands/run.ts')
  const options = runOptions(args.slice(1))
  return options && run(options)
}

async function command(): Promise<number> {
  const { runCommand } = await import('./commands/program.ts')
  return runCommand(args)
}
