import { text } from 'node:stream/consumers'
import { Argument, type Command, InvalidArgumentError } from 'commander'
import { HoldfastError } from '../../schema/errors.ts'
import type { Runner } from '../command.ts'
import type { Session } from '../session.ts'

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

export function addApi(program: Command, runner: Runner): void {
  program
    .command('api')
    .description('any call of the HTTP API; prints its answer as it is')
    .addArgument(new Argument('<method>', METHODS.join(', ')).argParser(parseMethod))
    .argument('<path>', 'e.g. /v1/clusters/{cluster}/nodes; {cluster} becomes the one in use')
    .option('--body <json>', 'what to send; "-" reads it from standard input')
    .action(runner.action(api))
}

function parseMethod(text: string): string {
  if (METHODS.includes(text.toUpperCase())) return text.toUpperCase()
  throw new InvalidArgumentError(`Write one of ${METHODS.join(', ')}.`)
}

async function api(
  session: Session,
  options: { body?: string },
  method: string,
  path: string,
): Promise<undefined> {
  if (!path.startsWith('/'))
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `"${path}" is no path of the API`,
      why: 'A path begins with "/".',
      remedy: 'For example: holdfast api GET /v1/clusters',
    })
  const body = options.body === '-' ? await text(session.surroundings.stdin) : options.body
  if (body !== undefined) checkJson(body)
  session.out.raw(await session.raw(method, path, body))
}

function checkJson(text: string): void {
  try {
    JSON.parse(text)
  } catch (cause) {
    throw new HoldfastError(
      {
        code: 'BAD_REQUEST',
        message: 'the body is not JSON',
        why: String(cause),
        remedy: `Quote it for the shell: --body '{"name":"web"}', or --body - < file.json`,
      },
      { cause },
    )
  }
}
