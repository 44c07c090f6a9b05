/** `status` and `stop`: what is asked of the guard that runs here. */
import type { Command } from 'commander'
import { HoldfastError } from '../../schema/errors.ts'
import { askGuard } from '../host/ask-guard.ts'
import { renderHostStatus } from '../status/render.ts'
import { EXIT } from './exit-codes.ts'
import type { Host, Runner } from './host.ts'

export function addStatus(program: Command, runner: Runner): void {
  program
    .command('status')
    .description('what this host holds, and how it stands with the control plane')
    .action(runner.action(status))
}

async function status(host: Host): Promise<number> {
  const answer = await askGuard(host.folders.run, { do: 'status' })
  host.answer(answer, renderHostStatus(answer))
  return EXIT.done
}

export function addStop(program: Command, runner: Runner): void {
  program
    .command('stop')
    .description('stops a resource on purpose, whether or not the control plane can be told')
    .argument('[name]', 'name or GUID of a resource that this host owns')
    .option('--kill', 'at once, instead of gracefully')
    .action(runner.action<{ kill?: true }, [string | undefined]>(stop))
}

async function stop(
  host: Host,
  options: { kill?: true },
  resource: string | undefined,
): Promise<number> {
  if (!resource)
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: 'stop needs the name of a resource',
      why: 'The command line has none, so nothing was stopped.',
      remedy: 'holdfast-probe stop NAME; see what this host holds: holdfast-probe status',
    })
  const request = { do: 'stop', resource, kill: options.kill ?? false } as const
  const answer = await askGuard(host.folders.run, request)
  const told = (answer as { toldControlPlane?: boolean }).toldControlPlane
  const then = told ? 'the control plane knows' : 'the control plane hears of it when it can'
  host.answer(answer, `${resource}: stopping, and stays offline; ${then}`)
  return EXIT.done
}
