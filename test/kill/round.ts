/** One round: something is under way, something is killed, and everything comes back by itself. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { type DemoHost, killPid } from '../../demo/host.ts'
import { identityOf, isAlive } from '../../probe/gate/proc.ts'
import type { DaemonScript } from '../e2e/daemon-script.ts'
import {
  BYSTANDER,
  isGuest,
  type Operation,
  QUICK,
  SCRIPTED,
  type Scene,
  SUBJECT,
} from './operations.ts'
import type { Promises } from './promises.ts'

export const VICTIMS = ['workerd', 'agent', 'rhs', 'guard', 'workload'] as const
export type Victim = (typeof VICTIMS)[number]

export interface RoundResult {
  /** From the first kill until all is well, milliseconds; null when it never was. */
  readonly recoverMs: number | null
  readonly problems: readonly string[]
  /** Processes that were there and were killed. */
  readonly kills: number
  /** Victims that were not there just then: this round says nothing of them. */
  readonly missed: readonly Victim[]
}

const RECOVER_MS = 60_000

export async function playRound(
  scene: Scene & { readonly script: DaemonScript },
  operation: Operation,
  victims: readonly Victim[],
  random: () => number,
  /** 1; less, and the kills come sooner: before what is under way has ended its victim itself. */
  pace: number,
): Promise<RoundResult> {
  const { demo, promises, script } = scene
  let going = true
  const during: Scene = { demo, promises, go: () => going }
  await operation.prepare(during)
  await well(demo, promises)
  if (random() < 0.7) await beside(demo, promises, random() < 0.5 ? BYSTANDER : SCRIPTED)
  const before = {
    bystander: pidOf(demo, BYSTANDER),
    script: script.daemon(),
    subject: [pidOf(demo, SUBJECT), pidOf(demo, QUICK)].join(),
  }
  const running = operation.run(during)
  await sleep(random() * 250 * pace)
  const begun = performance.now()
  const missed: Victim[] = []
  let kills = 0
  for (const [i, victim] of victims.entries()) {
    if (i > 0) await sleep(random() * 120 * pace)
    const hits = kill(demo, victim)
    kills += hits
    if (hits === 0) missed.push(victim)
  }
  await sleep(random() * 200)
  going = false
  await running
  const problems: string[] = []
  let recoverMs: number | null = null
  try {
    await well(demo, promises)
    recoverMs = performance.now() - begun
  } catch (error) {
    problems.push(`not recovered: ${(error as Error).message}`)
  }
  // No workload dies that need not: nothing was done to it, and no kill was about it.
  if (pidOf(demo, BYSTANDER) !== before.bystander) problems.push('the bystander was restarted')
  if (!before.script || !isAlive(before.script))
    problems.push('the script of a bystander was restarted')
  const touched = operation.restarts || victims.includes('workload')
  if (!touched && [pidOf(demo, SUBJECT), pidOf(demo, QUICK)].join() !== before.subject)
    problems.push('the subject was restarted')
  await promises.check()
  await operation.after?.(during)
  return { recoverMs, problems, kills, missed }
}

/** On the host of the bystander the kills are about its probe too. */
async function beside(demo: Demo, promises: Promises, bystander: string): Promise<void> {
  const view = await demo.view()
  const to = view.groups.find((g) => g.name === bystander)?.owner
  const subject = view.groups.find((g) => g.name === SUBJECT)
  if (!to || subject?.owner === to) return
  await demo.api('moveGroup', { params: { cluster: CLUSTER, group: SUBJECT }, body: { to } })
  await demo.until('it has moved', (v) => v.groups.find((g) => g.name === SUBJECT)?.owner === to)
  await well(demo, promises)
}

/**
 * The processes of the host that owns the subject; in a join, of the host that joins.
 *
 * @returns how many were there to be killed
 */
function kill(demo: Demo, victim: Victim): number {
  const found = pidsOf(demo, victim).filter((pid) => identityOf(pid) !== null)
  for (const pid of found) killPid(pid)
  return found.length
}

function pidsOf(demo: Demo, victim: Victim): number[] {
  const known = (...pids: (number | null | undefined)[]) => pids.filter((pid) => pid != null)
  if (victim === 'workerd') return known(demo.control.workerdPid())
  if (victim === 'workload') return known(pidOf(demo, SUBJECT))
  const guest = demo.hosts.findLast(isGuest)?.treePids()
  const pids = guest?.[victim] === undefined ? ownerOf(demo).treePids() : guest
  // Both kinds of resource monitors: neither may take a workload along.
  return victim === 'rhs' ? known(pids.rhs, pids.rhsExec) : known(pids[victim])
}

function ownerOf(demo: Demo): DemoHost {
  const last = demo.ledger(SUBJECT).findLast((line) => line.what === 'start')
  return demo.hosts.find((host) => host.name === last?.owner) ?? (demo.hosts[0] as DemoHost)
}

const pidOf = (demo: Demo, name: string): number | undefined =>
  demo.ledger(name).findLast((line) => line.what === 'start')?.pid

/** Every node is connected; what is wanted online runs once, what is wanted offline does not. */
async function well(demo: Demo, promises: Promises): Promise<void> {
  await demo.until(
    'all is well',
    (view) => {
      const up = view.nodes.filter((n) => n.state === 'up' && n.connected).length
      if (up !== demo.hosts.length || view.nodes.length !== demo.hosts.length) return false
      if (view.groups.find((g) => g.name === SCRIPTED)?.state !== 'online') return false
      return [SUBJECT, BYSTANDER, QUICK].every((name) => {
        const of = name === QUICK ? SUBJECT : name
        const group = view.groups.find((g) => g.name === of)
        const wanted = promises.wanted(of) ?? group?.resources[0]?.persistentState
        const runs = identityOf(pidOf(demo, name) ?? 0) !== null
        return wanted === 1
          ? group?.state === 'online' && runs
          : group?.state === 'offline' && !runs
      })
    },
    RECOVER_MS,
  )
}
