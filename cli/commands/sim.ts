import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { HoldfastError } from '../../schema/errors.ts'
import { connect, stdioOf } from '../child-streams.ts'
import { noun, type Runner } from '../command.ts'
import type { Session } from '../session.ts'

export function addSim(program: Command, runner: Runner): void {
  const sim = noun('sim', 'what would happen, played in virtual time: no server is asked')
  sim
    .command('run')
    .description('plays scenario files: 0 as expected, 3 not as expected, 2 a file makes no sense')
    .argument('<files...>', 'YAML or JSON; - is standard input (docs/scenarios.md)')
    .option('--quiet', 'only what came of it, not what happened')
    .action(runner.action(run))
  program.addCommand(sim)
}

/** A process of its own: a simulation replaces the clocks and the chance of its process. */
const PLAYER = fileURLToPath(new URL('../../sim/run.ts', import.meta.url))

function run(session: Session, options: { quiet?: true }, files: string[]): Promise<number> {
  const flags = [...(session.out.json ? ['--json'] : []), ...(options.quiet ? ['--quiet'] : [])]
  return new Promise((done, failed) => {
    const { surroundings } = session
    const child = fork(PLAYER, [...flags, '--', ...files], {
      execArgv: [],
      stdio: [...stdioOf(surroundings), 'ipc'],
      env: surroundings.env,
      cwd: surroundings.cwd,
    })
    connect(child, surroundings)
    child.on('message', (bad: { bad: string }) => failed(badFile(bad.bad)))
    child.on('error', failed)
    child.on('close', (code) => done(code ?? 1))
    session.signal.addEventListener('abort', () => child.kill('SIGKILL'))
  })
}

function badFile(text: string): HoldfastError {
  const [message = text, ...rest] = text.split('\n')
  return new HoldfastError({
    code: 'BAD_REQUEST',
    message,
    why: rest.join('\n') || 'The scenario cannot be played.',
    remedy: 'Correct the place that is named; docs/scenarios.md says what a scenario takes.',
  })
}
