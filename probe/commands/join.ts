/** `join`: swaps a join token for membership. Done within its time, or it says why not. */
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { createClient } from '../../schema/api/client.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { type IdentityFile, makeKey, readIdentity, writeIdentity } from '../agent/identity.ts'
import {
  type Check,
  checkView,
  examine,
  guardOf,
  problemsIn,
  renderChecks,
} from '../host/checks.ts'
import { lookAtNetwork, type NetworkLook } from '../host/checks-network.ts'
import { parsed } from '../host/reach.ts'
import { EXIT } from './exit-codes.ts'
import type { Host, Runner } from './host.ts'
import { timeout } from './options.ts'
import { readToken, tokenOnCommandLine } from './token.ts'

interface JoinOptions {
  readonly url?: string
  readonly name?: string
  readonly tokenFile?: string
  readonly timeout: number
}

export function addJoin(program: Command, runner: Runner): void {
  program
    .command('join')
    .description('swaps a join token for membership of a cluster; joining twice changes nothing')
    .option('--url <address>', 'control plane (HOLDFAST_URL; a member knows its own)')
    .option('--name <name>', 'name of the node (default: the host name up to its first dot)')
    .option(
      '--token-file <file>',
      'file with the token; else $HOLDFAST_JOIN_TOKEN, standard input, or a prompt',
    )
    .addOption(timeout('how long it may take in all', '60s'))
    .action(runner.action<JoinOptions>(join))
}

const RETRY_FIRST_MS = 250
const RETRY_MOST_MS = 4_000
/** One answer that does not come leaves time for another try. */
const TRY_MS = 10_000

/** Wherever on the command line it stands. @throws {HoldfastError} BAD_REQUEST */
export function refuseTokenIn(args: readonly string[]): void {
  if (args.some((word) => /^(?:--token(?:=|$)|hfj_)/.test(word))) throw tokenOnCommandLine()
}

async function join(host: Host, options: JoinOptions): Promise<number> {
  const end = performance.now() + options.timeout
  const left = () => Math.max(1, Math.ceil(end - performance.now()))
  const before = knownIdentity(host)
  const url = addressFor(options, before)
  const name = options.name ?? before?.nodeName ?? hostname().split('.')[0] ?? 'host'
  const checks = await preflight(host, url, left)
  if (!host.json) host.note(`Joining ${new URL(url).origin} as ${name}\n${renderChecks(checks)}`)
  const blocking = checks.find((check) => check.refusal)?.refusal
  if (blocking) throw new HoldfastError(blocking)
  const token = await readToken({ file: options.tokenFile, timeoutMs: left() })
  const joined = await swap(host, { token, name, url, before }, left)
  const { identity } = joined
  const problems = problemsIn(checks)
  host.answer(
    {
      ...{ joined: true, changed: joined.changed },
      ...{ node: identity.nodeName, nodeId: identity.nodeId },
      ...{ cluster: identity.clusterName, clusterId: identity.clusterId, url },
      ...{ problems, checks: checks.map(checkView) },
    },
    `${said(joined.changed, identity)}${problems > 0 ? `\nwith ${problems} ${problems === 1 ? 'problem' : 'problems'}, see above; again: holdfast-probe doctor` : ''}`,
  )
  return problems > 0 ? EXIT.problems : EXIT.done
}

const said = (changed: boolean, { nodeName, clusterName }: IdentityFile) =>
  changed ? `joined ${clusterName} as ${nodeName}` : `already joined ${clusterName} as ${nodeName}`

/** @throws {HoldfastError} STATE_FOLDER: there is one, and it cannot be read */
function knownIdentity(host: Host): IdentityFile | null {
  try {
    return readIdentity(host.folders.state)
  } catch (error) {
    if (error instanceof HoldfastError && error.refusal.code === 'NOT_JOINED') return null
    throw error
  }
}

function addressFor(options: JoinOptions, before: IdentityFile | null): string {
  const url = options.url ?? process.env['HOLDFAST_URL'] ?? before?.url
  if (url) return parsed(url).href.replace(/\/$/, '')
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: 'join needs the address of the control plane',
    why: 'There is no --url and no $HOLDFAST_URL.',
    remedy: 'holdfast-probe join --url https://…',
  })
}

/** Everything that can be known before the token is used. A control plane that starts is waited for. */
async function preflight(host: Host, url: string, left: () => number): Promise<Check[]> {
  const { folders } = host
  const guard = await guardOf(folders.run)
  let network: NetworkLook
  for (let delay = RETRY_FIRST_MS; ; delay = Math.min(delay * 2, RETRY_MOST_MS)) {
    network = await lookAtNetwork(url, { timeoutMs: Math.min(left(), TRY_MS), samples: 2 })
    const failed = network.seen !== null && 'code' in network.seen
    if (!failed || left() <= delay + RETRY_FIRST_MS) break
    await sleep(delay)
  }
  return examine({ ...folders, root: '/', guard, network })
}

interface Swap {
  readonly token: string
  readonly name: string
  readonly url: string
  readonly before: IdentityFile | null
}

/**
 * The key is made first and stays: a try that was cut off anywhere finds it, and the control plane
 * finds the node by it, so the next one ends where this one would have.
 */
async function swap({ folders }: Host, { token, name, url, before }: Swap, left: () => number) {
  const publicKey = makeKey(folders.state)
  const body = { token, name, publicKey, ...(before && { memberOf: before.clusterId }) }
  for (let delay = RETRY_FIRST_MS; ; delay = Math.min(delay * 2, RETRY_MOST_MS)) {
    try {
      const client = createClient({ url, timeoutMs: Math.min(left(), TRY_MS) })
      const joined = await client('join', { body })
      const identity: IdentityFile = {
        nodeId: joined.nodeId,
        // A member keeps its name: this one was not taken.
        nodeName: joined.changed ? name : (before?.nodeName ?? name),
        clusterId: joined.clusterId,
        clusterName: joined.clusterName,
        url,
        sessionPath: joined.sessionPath,
      }
      writeIdentity(folders.state, identity)
      return { identity, changed: joined.changed || before?.nodeId !== joined.nodeId }
    } catch (error) {
      if (!passes(error) || left() <= delay + RETRY_FIRST_MS) throw inOurWords(error)
      await sleep(delay)
    }
  }
}

/** Nobody answered, or the answer broke off: that may pass, and the same request does no harm. */
const passes = (error: unknown) =>
  brokenOff(error) ||
  (error instanceof HoldfastError && ['UNAVAILABLE', 'INTERNAL'].includes(error.refusal.code))

const brokenOff = (error: unknown) =>
  error instanceof Error && /^(TimeoutError|AbortError|TypeError)$/.test(error.name)

function inOurWords(error: unknown): unknown {
  if (!brokenOff(error)) return error
  return new HoldfastError(
    {
      code: 'UNAVAILABLE',
      message: 'the control plane did not finish its answer in time',
      why: (error as Error).message,
      remedy: 'Run it again: if this host has joined all the same, it says so.',
    },
    { cause: error as Error },
  )
}
