import { CommanderError } from 'commander'
import { usageFailure } from '../schema/api/failure.ts'
import { Runner } from './command.ts'
import { DryRunDone } from './dry-run.ts'
import { dryRunText } from './dry-run-text.ts'
import { EXIT } from './exit-codes.ts'
import { Output } from './output.ts'
import { makeProgram, VERSION } from './program.ts'
import { docsOf, type Failure, failureOf, renderFailure } from './render-error.ts'
import type { Surroundings } from './surroundings.ts'

/** Runs one command line; returns the exit code. */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const runner = new Runner(surroundings)
  const program = makeProgram(runner)
  if (args.length === 0) {
    program.outputHelp()
    return EXIT.done
  }
  // Not an option of the program: `hive --version 1` has one of its own.
  if (args[0] === '--version') {
    surroundings.stdout.write(`${VERSION}\n`)
    return EXIT.done
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return runner.exitCode
  } catch (error) {
    if (error instanceof DryRunDone) {
      runner.session?.out.answer(error.found, () => dryRunText(error.found))
      return EXIT.done
    }
    const failure =
      error instanceof CommanderError ? usageFailure(error, EXIT.usage) : seen(error, runner)
    if (failure) show(failure, runner, args)
    return failure?.exit ?? EXIT.done
  }
}

function seen(error: unknown, runner: Runner): Failure {
  if (!runner.surroundings.signal.aborted) return failureOf(error)
  return {
    code: 'INTERRUPTED',
    message: 'stopped by Ctrl-C',
    why: 'What had been asked for before goes on.',
    remedy: 'Look again: holdfast status',
    exit: EXIT.interrupted,
  }
}

function show(failure: Failure, runner: Runner, args: readonly string[]): void {
  const out =
    runner.session?.out ?? new Output({ json: args.includes('--json') }, runner.surroundings)
  out.note(renderFailure(failure, out.look))
  if (out.json) out.item({ error: { ...failure, docs: docsOf(failure) } }, () => '')
}
