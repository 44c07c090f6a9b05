import { Command, Option } from 'commander'
import { type Runner, wholeNumber } from './command.ts'
import { addAccount } from './commands/account.ts'
import { addApi } from './commands/api.ts'
import { addAudit } from './commands/audit.ts'
import { addCluster, addToken } from './commands/cluster.ts'
import { addCompletion } from './commands/completion.ts'
import { addConfig } from './commands/config.ts'
import { addDescribe } from './commands/describe.ts'
import { addEvents, addHive } from './commands/events.ts'
import { addExplain } from './commands/explain.ts'
import { addFence } from './commands/fence.ts'
import { addGroup } from './commands/group.ts'
import { addImport } from './commands/import.ts'
import { addKey, addWhoami } from './commands/key.ts'
import { addLog } from './commands/log.ts'
import { addLogin } from './commands/login.ts'
import { addMaintenance } from './commands/maintenance.ts'
import { addMember } from './commands/member.ts'
import { addMove, addOnline, addVerbs } from './commands/move.ts'
import { addNode } from './commands/node.ts'
import { addOperation } from './commands/operation.ts'
import { addReplay } from './commands/replay.ts'
import { addReport } from './commands/report.ts'
import { addResource } from './commands/resource.ts'
import { addRule } from './commands/rule.ts'
import { addSim } from './commands/sim.ts'
import { addSimulate } from './commands/simulate.ts'
import { addStatus } from './commands/status.ts'
import { addTimeline } from './commands/timeline.ts'
import { addUsage } from './commands/usage.ts'
import { addVm } from './commands/vm.ts'
import { addWait } from './commands/wait.ts'
import { addWebhook } from './commands/webhook.ts'
import { addWhy } from './commands/why.ts'
import { EXIT_HELP } from './exit-codes.ts'

export const VERSION = '0.1.0'

const EXAMPLES = `
Examples:
  holdfast status --watch
  holdfast group create web
  holdfast resource create nginx --group web --type process --command /usr/sbin/nginx --arg=-g --arg='daemon off;'
  holdfast move web --to n2
  holdfast why web
`

/** Columns of help that goes to no terminal. */
const WIDTH = 80

/** As help lists them: what shows comes first. */
const COMMANDS = [
  addStatus,
  addWhy,
  addTimeline,
  addDescribe,
  addEvents,
  addLog,
  addCluster,
  addNode,
  addFence,
  addGroup,
  addRule,
  addMaintenance,
  addResource,
  addVm,
  addToken,
  addKey,
  addWhoami,
  addLogin,
  addAccount,
  addMember,
  addAudit,
  addUsage,
  addWebhook,
  addMove,
  addVerbs,
  addOnline,
  addWait,
  addOperation,
  addHive,
  addReplay,
  addReport,
  addConfig,
  addImport,
  addSim,
  addSimulate,
  addExplain,
  addApi,
  addCompletion,
]

/** The whole command line. It throws CommanderError instead of ending the process. */
export function makeProgram(runner: Runner): Command {
  const program = new Command('holdfast')
    .description('High availability for Linux hosts: shows and runs a cluster.')
    .option('--url <address>', 'control plane (HOLDFAST_URL)')
    .option('--key <key>', 'API key (better: HOLDFAST_API_KEY, which other users cannot see)')
    .option('--cluster <name>', 'cluster (HOLDFAST_CLUSTER)')
    .option('--dry-run', 'only says what would be changed: nothing is')
    .addOption(
      new Option(
        '--if-match <seq>',
        'only if the cluster is still at this update (seq of status)',
      ).argParser(wholeNumber),
    )
    .option('--json', 'one JSON document on stdout; JSON Lines for --watch and -f')
    .addOption(new Option('--color <when>', 'colours').choices(['auto', 'always', 'never']))
    .option('--ascii', 'no signs beyond ASCII')
    .version(VERSION, '-V', 'version number (also --version, as the first word)')
    .addHelpText('after', EXAMPLES + EXIT_HELP)
    .showHelpAfterError('(--help shows what there is)')
  for (const add of COMMANDS) add(program, runner)
  const { stdout } = runner.surroundings
  const width = () => (stdout.isTTY ? (stdout.columns ?? WIDTH) : WIDTH)
  const output = {
    writeOut: (text: string) => void stdout.write(text),
    // What is wrong is thrown, and said by whoever runs it.
    writeErr: () => {},
    getOutHelpWidth: width,
    getErrHelpWidth: width,
    // There are none in help.
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  }
  everyCommand(program, (command) => {
    command.exitOverride().configureOutput(output)
  })
  return program
}

function everyCommand(command: Command, change: (one: Command) => void): void {
  change(command)
  for (const one of command.commands) everyCommand(one, change)
}
