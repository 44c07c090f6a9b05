import { Command, CommanderError } from 'commander'
import { probePage } from '../../schema/api/docs.ts'
import {
  docsOf,
  type Failure,
  failureOf,
  failureText,
  usageFailure,
} from '../../schema/api/failure.ts'
import { addDoctor } from './doctor.ts'
import { EXIT, EXIT_HELP } from './exit-codes.ts'
import { DEFAULT_FOLDERS, Runner } from './host.ts'
import { addJoin, refuseTokenIn } from './join.ts'
import { addLeave } from './leave.ts'
import { addMetrics } from './metrics.ts'
import { addModule } from './module.ts'
import { peersOption } from './options.ts'
import { addService } from './service.ts'
import { addStatus, addStop } from './status.ts'

const VERSION = '0.1.0'

const EXAMPLES = `
Examples:
  holdfast-probe doctor --url https://holdfast.example
  holdfast-probe join --url https://holdfast.example < token
  holdfast-probe service install
  holdfast-probe status
  holdfast-probe leave
`

/** Runs one command line, but that of a guard; returns the exit code. */
export async function runCommand(args: readonly string[]): Promise<number> {
  const runner = new Runner()
  const program = makeProgram(runner)
  if (args.length === 0) {
    program.outputHelp()
    return EXIT.usage
  }
  try {
    refuseTokenIn(args)
    await program.parseAsync(args, { from: 'user' })
    return runner.exitCode
  } catch (error) {
    const isUsage = error instanceof CommanderError
    const failure = isUsage ? usageFailure(error, EXIT.usage) : failureOf(error)
    if (failure) show(failure, args)
    return failure?.exit ?? EXIT.done
  }
}

function show(failure: Failure, args: readonly string[]): void {
  process.stderr.write(failureText(failure, probePage))
  const document = { error: { ...failure, docs: docsOf(failure, probePage) } }
  if (args.includes('--json')) process.stdout.write(`${JSON.stringify(document)}\n`)
}

/** The whole command line. It throws CommanderError instead of ending the process. */
export function makeProgram(runner: Runner): Command {
  const { state, run, policy } = DEFAULT_FOLDERS
  const program = new Command('holdfast-probe')
    .description('Keeps what the cluster gives to this host running.')
    .option('--state <folder>', 'identity and replica', state)
    .option('--run <folder>', 'state of this boot', run)
    .option('--policy <file>', 'what may run on this host', policy)
    .option('--json', 'one JSON document on stdout')
    .version(VERSION, '-V, --version', 'version number')
    .addHelpText('after', EXAMPLES + EXIT_HELP)
    .showHelpAfterError('(--help shows what there is)')
  addJoin(program, runner)
  addRun(program, runner)
  addStatus(program, runner)
  addStop(program, runner)
  addMetrics(program, runner)
  addLeave(program, runner)
  addDoctor(program, runner)
  addService(program, runner)
  addModule(program, runner)
  everyCommand(program, (command) => {
    command.exitOverride().configureOutput({ writeErr: () => {} })
  })
  return program
}

/** A plain `run` does not come this way: it is started without the parser of the others. */
function addRun(program: Command, runner: Runner): void {
  program
    .command('run')
    .description('runs the guard in the foreground, for a service manager')
    .addOption(peersOption())
    .action(
      runner.action<{ peers: string }>(async (host, { peers }) =>
        (await import('./run.ts')).run({ ...host.folders, peers }),
      ),
    )
}

function everyCommand(command: Command, change: (one: Command) => void): void {
  change(command)
  for (const one of command.commands) everyCommand(one, change)
}
