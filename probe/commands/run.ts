/**
 * `holdfast-probe run`: the guard, in the foreground. It reads its few options itself: the other
 * commands and their parser are not loaded, because what the guard holds in memory it holds for good.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { probePage } from '../../schema/api/docs.ts'
import { failureOf, failureText } from '../../schema/api/failure.ts'
import { readIdentity } from '../agent/identity.ts'
import { parsePeerListen } from '../agent/peer-listen.ts'
import { runGuard } from '../guard/run.ts'
import { FATAL_EXITS } from '../host/fatal-exits.ts'
import { checkFolders } from '../host/folders.ts'
import { killLeftovers } from '../host/leftovers.ts'
import { takeLock } from '../os/lock.ts'
import { DEFAULT_FOLDERS, type Folders } from './host.ts'

export interface RunOptions extends Folders {
  /** Where to listen for peers. */
  readonly peers: string
}

/** @returns null when there is more to say of the command line than this understands */
export function runOptions(args: readonly string[]): RunOptions | null {
  const text = { type: 'string' } as const
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { state: text, run: text, policy: text, peers: text, json: { type: 'boolean' } },
    })
    return {
      state: values.state ?? DEFAULT_FOLDERS.state,
      run: values.run ?? DEFAULT_FOLDERS.run,
      policy: values.policy ?? DEFAULT_FOLDERS.policy,
      peers: values.peers ?? 'auto',
    }
  } catch {
    return null
  }
}

/** @returns when the guard runs, or why it does not is said: the exit code */
export async function run({ state, run: runFolder, policy, peers }: RunOptions): Promise<number> {
  let nodeId: string | null = null
  try {
    parsePeerListen(peers)
    const identity = readIdentity(state)
    nodeId = identity.nodeId
    checkFolders(state, runFolder)
    const here = dirname(fileURLToPath(import.meta.url))
    await runGuard({
      stateFolder: state,
      runFolder,
      policyFile: policy,
      peers,
      nodeId: identity.nodeId,
      nodeName: identity.nodeName,
      agentFile: join(here, 'holdfast-agent.js'),
      rhsFile: join(here, 'holdfast-rhs.js'),
    })
    return 0
  } catch (error) {
    const failure = failureOf(error)
    process.stderr.write(failureText(failure, probePage))
    if (nodeId !== null && FATAL_EXITS.includes(failure.exit))
      await endWhatNobodyHolds(nodeId, state, runFolder)
    return failure.exit
  }
}

/**
 * A6: no service manager brings a guard back after this. What an earlier one has left running would
 * run on behind the lease that the control plane waits for; so it is ended here, unless a guard runs.
 */
async function endWhatNobodyHolds(nodeId: string, state: string, runFolder: string): Promise<void> {
  try {
    const locks = [await takeLock(state), await takeLock(runFolder)]
    for (const lock of locks) lock.unref()
  } catch {
    // Another guard runs here: it holds them.
    return
  }
  const ended = await killLeftovers(nodeId, runFolder).catch((error: Error) => error.message)
  if (ended !== 0) process.stderr.write(`holdfast: what no guard would hold was ended: ${ended}\n`)
}
