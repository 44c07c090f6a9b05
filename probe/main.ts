/** `holdfast-probe`: the command on a host. `run` is the guard itself. */
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createClient } from '../schema/api/client.ts'
import type { DoorRequest } from '../schema/door.ts'
import { ERRORS, HoldfastError } from '../schema/errors.ts'
import { makeKey, readIdentity, writeIdentity } from './agent/identity.ts'
import { runGuard } from './guard/main.ts'
import { askGuard } from './host/ask-guard.ts'
import { checkFolders } from './host/folders.ts'
import { renderHostStatus } from './status/render.ts'

const HELP = `holdfast-probe: keeps what the cluster gives to this host running

  holdfast-probe join --url URL [--name NAME] [--token-file FILE]
                         swaps a join token for membership; the token is read from
                         --token-file, $HOLDFAST_JOIN_TOKEN or standard input
  holdfast-probe run     runs in the foreground, as a service manager wants it
  holdfast-probe status  what this host holds and how it stands with the control plane
  holdfast-probe stop NAME [--kill]
                         stops a resource on purpose, whether or not the control plane can be told
  holdfast-probe leave   has everything released, then ends the membership

  --state DIR   identity and replica       (default /var/lib/holdfast)
  --run DIR     state of this boot         (default /run/holdfast)
  --policy FILE what may run on this host  (default /etc/holdfast/policy.json)
  --json        one JSON document on standard output

exit codes: 0 done, 1 fault, 2 usage, 5 not joined, 6 token refused, 7 another guard runs
`

const JOIN_TIMEOUT_MS = 60_000

const { values, positionals } = parse()
const state = values.state ?? '/var/lib/holdfast'
const run = values.run ?? '/run/holdfast'

try {
  await main(positionals[0])
} catch (error) {
  process.exitCode = complain(error)
}

async function main(command: string | undefined): Promise<void> {
  switch (command) {
    case 'join':
      return join_()
    case 'run':
      return guard()
    case 'status':
      return printStatus(await askGuard(run, { do: 'status' }))
    case 'stop':
      return print(await askGuard(run, stopRequest()), values.json ?? false)
    case 'leave':
      return print(await askGuard(run, { do: 'leave' }), values.json ?? false)
    default:
      process.stdout.write(HELP)
      if (command !== undefined || !values.help) process.exitCode = 2
      if (values.help) process.exitCode = 0
  }
}

async function guard(): Promise<void> {
  const identity = readIdentity(state)
  checkFolders(state, run)
  const here = dirname(fileURLToPath(import.meta.url))
  await runGuard({
    stateFolder: state,
    runFolder: run,
    policyFile: values.policy ?? '/etc/holdfast/policy.json',
    nodeId: identity.nodeId,
    nodeName: identity.nodeName,
    agentFile: join(here, 'holdfast-agent.js'),
    rhsFile: join(here, 'holdfast-rhs.js'),
  })
}

/** Joining twice with one key is not an error: it says that nothing changed. */
async function join_(): Promise<void> {
  const url = values.url ?? process.env['HOLDFAST_URL']
  if (!url)
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: 'join needs the address of the control plane',
      remedy: 'holdfast-probe join --url https://…',
    })
  const token = await readToken()
  const name = values.name ?? hostname().split('.')[0] ?? 'host'
  const client = createClient({ url, timeoutMs: JOIN_TIMEOUT_MS })
  const joined = await client('join', { body: { token, name, publicKey: makeKey(state) } })
  writeIdentity(state, {
    nodeId: joined.nodeId,
    nodeName: name,
    clusterId: joined.clusterId,
    clusterName: joined.clusterName,
    url,
    sessionPath: joined.sessionPath,
  })
  const answer = { joined: true, changed: joined.changed, node: name, cluster: joined.clusterName }
  if (values.json) print(answer, true)
  else
    process.stdout.write(
      joined.changed
        ? `joined ${joined.clusterName} as ${name}\n`
        : `already joined ${joined.clusterName}\n`,
    )
}

/** Never from the command line, where every user of the host could read it. */
async function readToken(): Promise<string> {
  const file = values['token-file']
  const { readFile } = await import('node:fs/promises')
  const text = file
    ? await readFile(file, 'utf8')
    : (process.env['HOLDFAST_JOIN_TOKEN'] ?? (await readStdin()))
  const token = text.trim()
  if (/^hfj_[A-Za-z0-9_-]+$/.test(token)) return token
  throw new HoldfastError({
    code: 'TOKEN_INVALID',
    message: 'no join token was given',
    remedy: 'Pipe it in (a token begins with hfj_), or name a file with --token-file.',
  })
}

async function readStdin(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin) text += chunk
  return text
}

function stopRequest(): DoorRequest {
  const resource = positionals[1]
  if (resource) return { do: 'stop', resource, kill: values.kill ?? false }
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: 'stop needs the name of a resource',
    remedy: 'holdfast-probe stop NAME; see what this host holds: holdfast-probe status',
  })
}

function printStatus(answer: object): void {
  if (values.json) print(answer, true)
  else process.stdout.write(renderHostStatus(answer))
}

function print(answer: object, json: boolean): void {
  process.stdout.write(`${JSON.stringify(answer, null, json ? 0 : 2)}\n`)
}

function complain(error: unknown): number {
  const refusal =
    error instanceof HoldfastError
      ? error.refusal
      : { code: 'INTERNAL' as const, message: error instanceof Error ? error.message : `${error}` }
  const { code, message, why, remedy } = { why: undefined, remedy: undefined, ...refusal }
  process.stderr.write(
    [`error: ${message}   [${code}]`, why && `  ${why}`, remedy && `  try: ${remedy}`]
      .filter(Boolean)
      .join('\n')
      .concat('\n'),
  )
  return ERRORS[code].exit
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        url: { type: 'string' },
        name: { type: 'string' },
        'token-file': { type: 'string' },
        state: { type: 'string' },
        run: { type: 'string' },
        policy: { type: 'string' },
        json: { type: 'boolean' },
        kill: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message}\n  try: holdfast-probe --help\n`)
    process.exit(2)
  }
}
