/** One round: something is under way, something is killed, and everything comes back by itself. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { type DemoHost, killPid } from '../../demo/host.ts'
import { identityOf } from '../../probe/gate/proc.ts'
import { BYSTANDER, isGuest, type Operation, type Scene, SUBJECT } from './operations.ts'
import type { Promises } from './promises.ts'

export const VICTIMS = ['workerd', 'agent', 'rhs', 'guard', 'workload'] as const
export type Victim = (typeof VICTIMS)[number]

export interface RoundResult {
  /** From the first kill until all is well, milliseconds; null when it never was. */
  readonly recoverMs: number | null
  readonly problems: readonly string[]
}

const RECOVER_MS = 60_000

export async function playRound(
  demo: Demo,
  promises: Promises,
  operation: Operation,
  victims: readonly Victim[],
  random: () => number,
): Promise<RoundResult> {
  let going = true
  const scene: Scene = { demo, promises, go: () => going }
  await operation.prepare(scene)
  await well(demo, promises)
  if (random() < 0.7) await besideBystander(demo, promises)
  const before = { bystander: pidOf(demo, BYSTANDER), subject: pidOf(demo, SUBJECT) }
  const running = operation.run(scene)
  await sleep(random() * 250)
  const begun = performance.now()
  for (const [i, victim] of victims.entries()) {
    if (i > 0) await sleep(random() * 120)
    await kill(demo, victim)
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
  const touched = operation.restarts || victims.includes('workload')
  if (!touched && pidOf(demo, SUBJECT) !== before.subject)
    problems.push('the subject was restarted')
  await promises.check()
  await operation.after?.(scene)
  return { recoverMs, problems }
}

/** On the host of the bystander the kills are about its probe too. */
async function besideBystander(demo: Demo, promises: Promises): Promise<void> {
  const view = await demo.view()
  const to = view.groups.find((g) => g.name === BYSTANDER)?.owner
  const subject = view.groups.find((g) => g.name === SUBJECT)
  if (!to || subject?.owner === to) return
  await demo.api('moveGroup', { params: { cluster: CLUSTER, group: SUBJECT }, body: { to } })
  await demo.until('it has moved', (v) => v.groups.find((g) => g.name === SUBJECT)?.owner === to)
  await well(demo, promises)
}

/** The processes of the host that owns the subject; in a join, of the host that joins. */
async function kill(demo: Demo, victim: Victim): Promise<void> {
  if (victim === 'workerd') {
    const pid = demo.control.workerdPid()
    if (pid !== null) killPid(pid)
    return
  }
  if (victim === 'workload') {
    const pid = pidOf(demo, SUBJECT)
    if (pid !== undefined && identityOf(pid)) killPid(pid)
    return
  }
  const pid = demo.hosts.findLast(isGuest)?.treePids()[victim] ?? ownerOf(demo).treePids()[victim]
  if (pid !== undefined) killPid(pid)
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
      return [SUBJECT, BYSTANDER].every((name) => {
        const group = view.groups.find((g) => g.name === name)
        const wanted = promises.wanted(name) ?? group?.resources[0]?.persistentState
        const runs = identityOf(pidOf(demo, name) ?? 0) !== null
        return wanted === 1
          ? group?.state === 'online' && runs
          : group?.state === 'offline' && !runs
      })
    },
    RECOVER_MS,
  )
}
