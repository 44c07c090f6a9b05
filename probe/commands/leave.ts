/** `leave`: ends the membership, in order with the control plane or, with `--force`, without it. */
import { existsSync } from 'node:fs'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { HoldfastError } from '../../schema/errors.ts'
import { readIdentity } from '../agent/identity.ts'
import { askGuard } from '../host/ask-guard.ts'
import { removeDurably } from '../host/durable.ts'
import { killLeftovers } from '../host/leftovers.ts'
import { takeLock } from '../os/lock.ts'
import { EXIT } from './exit-codes.ts'
import type { Host, Runner } from './host.ts'
import { confirm, timeout } from './options.ts'

interface LeaveOptions {
  readonly force?: true
  readonly yes?: true
  readonly timeout: number
}

export function addLeave(program: Command, runner: Runner): void {
  program
    .command('leave')
    .description('has everything released, then ends the membership')
    .option(
      '--force',
      'asks nobody: stops everything here at once and forgets the cluster; for a host that was removed, a copy, or a control plane that is gone',
    )
    .option('-y, --yes', 'does it without asking')
    .addOption(timeout('how long to wait until it is over', '60s'))
    .action(runner.action<LeaveOptions>(leave))
}

const LOOK_MS = 100

/** In this order: without the identity nobody knows any more whose the rest is. */
const FILES = ['hive.json', 'local-stops.json', 'attempt', 'identity.key', 'identity.json']
/** What another cluster's membership must not begin with. */
const OF_THE_CLUSTER = ['hive.json', 'local-stops.json']

async function leave(host: Host, options: LeaveOptions): Promise<number> {
  return options.force ? leaveAlone(host, options) : leaveInOrder(host, options)
}

/** It was gone before its name was seen. */
const NOBODY = { clusterName: 'the cluster', nodeName: 'this host' }

async function leaveInOrder(host: Host, options: LeaveOptions): Promise<number> {
  const { run } = host.folders
  const before = identityOrNull(host.folders.state)
  const asked = await askGuard(run, { do: 'leave' }).catch((error: unknown) => {
    // A host that has not joined has no guard either, and that says more.
    readIdentity(host.folders.state)
    throw error
  })
  // The guard's own: whoever named the run folder alone means this one.
  const state = (asked as { stateFolder?: string }).stateFolder ?? host.folders.state
  const { clusterName, nodeName } = before ?? identityOrNull(state) ?? NOBODY
  const end = performance.now() + options.timeout
  // The guard removes it when the control plane has let this host go.
  while (existsSync(join(state, 'identity.json'))) {
    if (performance.now() > end) {
      host.answer(
        { left: false, changed: false, cluster: clusterName, node: nodeName },
        `${nodeName} is still leaving ${clusterName}: what it runs is being released, or the control plane does not answer.\nLook: holdfast-probe status. Without the control plane: holdfast-probe leave --force`,
      )
      return EXIT.timeout
    }
    await sleep(LOOK_MS)
  }
  const lock = await lockFree(state, end)
  for (const file of OF_THE_CLUSTER) removeDurably(join(state, file))
  lock.close()
  host.answer(
    { left: true, changed: true, cluster: clusterName, node: nodeName },
    `left ${clusterName}; the key of this host stays in ${state} for another join`,
  )
  return EXIT.done
}

async function leaveAlone(host: Host, options: LeaveOptions): Promise<number> {
  const { state, run } = host.folders
  const known = identityOrNull(state)
  if (known === null && !FILES.some((file) => existsSync(join(state, file)))) {
    host.answer({ left: true, changed: false, removed: [] }, `nothing to forget in ${state}`)
    return EXIT.done
  }
  const whose = known ? `cluster ${known.clusterName}` : 'its cluster'
  await confirm(
    host,
    `kill everything that ${whose} runs here, and remove identity and key of this host`,
    options.yes ?? false,
  )
  // Asked again and again: whatever starts guards here may be quicker than we.
  const lock = await lockFree(state, performance.now() + options.timeout, async () => {
    await askGuard(run, { do: 'end' }).catch(() => null)
  })
  const killed = known ? await killLeftovers(known.nodeId, run) : 0
  const removed = FILES.map((file) => join(state, file)).filter(removeDurably)
  lock.close()
  host.answer(
    { left: true, changed: true, cluster: known?.clusterName ?? null, killed, removed },
    [
      killed > 0 ? `killed ${killed} processes` : 'nothing is left running',
      ...removed.map((path) => `removed ${path}`),
      ...(known ? [inTheCluster(known.nodeName)] : []),
    ].join('\n'),
  )
  return EXIT.done
}

const inTheCluster = (name: string) =>
  `The cluster still lists the node, unless it was removed: holdfast node remove ${name} --lost`

/** A damaged identity is what `--force` is for, too. */
function identityOrNull(state: string) {
  try {
    return readIdentity(state)
  } catch (error) {
    if (error instanceof HoldfastError) return null
    throw error
  }
}

/** Under its lock nobody starts another guard in between. @throws {HoldfastError} ALREADY_RUNNING */
async function lockFree(state: string, end: number, ask = async () => {}): Promise<Server> {
  for (;;) {
    await ask()
    try {
      return await takeLock(state)
    } catch (error) {
      if (performance.now() > end) throw error
    }
    await sleep(LOOK_MS)
  }
}
