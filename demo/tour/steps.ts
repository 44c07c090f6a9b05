/** The steps of the tour, in order. Each builds on what the ones before it left. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive } from '../../probe/gate/proc.ts'
import { PROFILES } from '../../schema/timing.ts'
import { CLUSTER, type Demo, type LedgerLine, program, readLines } from '../cluster.ts'
import { killPid } from '../host.ts'
import { ensure, judged, lastStart, moveTo, nextStart, otherNode, timesOf } from './helpers.ts'
import type { Times } from './times.ts'
import { vmCrash, vmFailover } from './vm-steps.ts'

export interface StepResult extends Omit<Times, 'totalMs'> {
  name: string
  ok: boolean
  totalMs: number | null
  overlaps: number
}

export interface TourStep {
  readonly name: string
  readonly needsVm?: boolean
  run(demo: Demo): Promise<Times & { overlaps: number }>
}

export const steps: readonly TourStep[] = [
  { name: 'first start of the witness', run: firstStart },
  { name: 'crash, restarted where it stands', run: crashRestart },
  { name: 'crash until the attempts are used up, failover', run: crashFailover },
  { name: 'VM crash, restarted where it stands', needsVm: true, run: vmCrash },
  { name: 'kill -9 of a whole host, failover after the lease', run: hostDeath },
  { name: 'VM failover after its host died', needsVm: true, run: vmFailover },
  { name: 'the host comes back', run: hostReturns },
  { name: 'guard, agent and RHS killed, workload lives on', run: probeDeath },
  { name: 'planned move', run: plannedMove },
  { name: 'dependency order on start and stop', run: dependencies },
  { name: 'admin offline stays offline across a failover', run: offlineStays },
]

async function firstStart(demo: Demo) {
  const faultMs = Date.now()
  await demo.addGroup('ledger')
  await demo.addWitness('ledger', 'ledger', { delayMs: 0, attempts: 2 })
  await demo.online('ledger')
  return timesOf(demo, faultMs, await nextStart(demo, 0), /offer to/, /owns it/)
}

async function crashRestart(demo: Demo) {
  const before = await demo.group('ledger')
  const pid = lastStart(demo).pid
  const faultMs = Date.now()
  killPid(pid)
  const start = await nextStart(demo, pid)
  await demo.online('ledger')
  ensure(start.owner === before.owner, 'it was restarted on another node')
  ensure(start.epoch === before.epoch, 'a restart in place must not change the epoch')
  return timesOf(demo, faultMs, start, /failed: its process ended/, /restart .* → online/)
}

async function crashFailover(demo: Demo) {
  const before = await demo.group('ledger')
  let start = lastStart(demo)
  let faultMs = 0
  // One restart was used up by the step before; this uses the rest, and one more.
  for (let crash = 0; crash < 5 && start.owner === before.owner; crash += 1) {
    faultMs = Date.now()
    killPid(start.pid)
    start = await nextStart(demo, start.pid)
  }
  ensure(start.owner !== before.owner, 'it did not fail over')
  await demo.online('ledger', start.owner)
  return timesOf(demo, faultMs, start, /attempts used up/, /owns it/)
}

async function hostDeath(demo: Demo) {
  const owner = (await demo.group('ledger')).owner as string
  if (demo.vmMissing === null) await moveTo(demo, 'vm', owner)
  const pid = lastStart(demo).pid
  const faultMs = Date.now()
  demo.host(owner).powerCut()
  const start = await nextStart(demo, pid)
  ensure(start.owner !== owner, 'it came up on the dead host')
  await demo.online('ledger', start.owner)
  return timesOf(demo, faultMs, start, /session \d+ lost/, /owns it/)
}

async function hostReturns(demo: Demo) {
  const down = (await demo.view()).nodes.find((n) => n.state === 'down')
  ensure(down, 'no node is down')
  const before = await demo.group('ledger')
  const faultMs = Date.now()
  await demo.host(down.name).boot()
  await demo.until('the node is up', (v) => v.nodes.every((n) => n.state === 'up' && n.connected))
  const after = await demo.group('ledger')
  ensure(after.owner === before.owner, 'the group moved back by itself')
  const upMs = Date.now()
  return {
    detectMs: null,
    decideMs: null,
    onlineMs: null,
    totalMs: upMs - faultMs,
    ...judged(demo),
  }
}

/** A6: the runner brings the guard back within T_gap; the workload must not notice. */
async function probeDeath(demo: Demo) {
  const owner = (await demo.group('ledger')).owner as string
  const host = demo.host(owner)
  const workload = (await host.status())?.guard.records.find((r) => r.process)?.process
  ensure(workload, 'no workload is on record')
  const faultMs = Date.now()
  host.killProbe()
  await sleep(100)
  for (let i = 0; i < 500 && !(await host.status())?.agent.info?.connected; i += 1) await sleep(20)
  const backMs = Date.now()
  // Longer than the lease: what was not adopted would be stopped by now.
  const { profile } = await demo.api('getCluster', { params: { cluster: CLUSTER } })
  await sleep(PROFILES[profile].ttlMs + 500)
  ensure(isAlive(workload), 'the workload did not survive')
  const group = await demo.online('ledger', owner)
  ensure(group.owner === owner, 'it was moved')
  ensure(lastStart(demo).pid === workload.pid, 'it was started again')
  return {
    detectMs: null,
    decideMs: null,
    onlineMs: null,
    totalMs: backMs - faultMs,
    ...judged(demo),
  }
}

async function plannedMove(demo: Demo) {
  const from = (await demo.group('ledger')).owner as string
  const to = otherNode(demo, from)
  const pid = lastStart(demo).pid
  const faultMs = Date.now()
  await moveTo(demo, 'ledger', to)
  const start = await nextStart(demo, pid)
  ensure(start.owner === to, 'it is not where it was sent')
  return timesOf(demo, faultMs, start, /moved by an operator/, /owns it/)
}

/** S-93: base before app on start, app before base on stop. */
async function dependencies(demo: Demo) {
  const ledger = `${demo.folder}/chain.ledger`
  const faultMs = Date.now()
  await demo.addGroup('chain')
  const args = [program('step.ts'), ledger]
  await demo.addProcess('base', 'chain', args, { startGraceMs: 400 })
  await demo.addProcess('app', 'chain', args, { startGraceMs: 400, dependsOn: ['base'] })
  await demo.online('chain')
  // Online is who has lived so long; on a busy machine it may not have written yet that it started.
  await written(ledger, 2)
  const from = (await demo.group('chain')).owner as string
  await moveTo(demo, 'chain', otherNode(demo, from))
  await written(ledger, 6)
  const said = readLines(ledger).map((line) => `${line.what} ${line.name}`)
  const want = ['start base', 'start app', 'end app', 'end base', 'start base', 'start app']
  ensure(said.join(', ') === want.join(', '), `order was ${said.join(', ')}`)
  const lines = readLines(ledger)
  const first = lines.find((line) => line.name === 'app' && line.what === 'start') as LedgerLine
  const times = timesOf(demo, faultMs, first, /offer to/, /owns it/)
  return times
}

/** Until so many lines are there, or until they have had their time: which they are is judged then. */
async function written(ledger: string, lines: number): Promise<void> {
  for (let waitedMs = 0; readLines(ledger).length < lines && waitedMs < 10_000; waitedMs += 50)
    await sleep(50)
}

/** S-85: the group moves with its flag; only flag 1 gets Online. */
async function offlineStays(demo: Demo) {
  const owner = (await demo.group('chain')).owner as string
  await demo.api('offlineResource', { params: { cluster: CLUSTER, resource: 'app' } })
  await demo.until('app is offline', (v) =>
    v.groups
      .find((g) => g.name === 'chain')
      ?.resources.some((r) => r.name === 'app' && r.status === 'offline'),
  )
  const faultMs = Date.now()
  demo.host(owner).powerCut()
  const group = await demo.until('base is online elsewhere', (v) =>
    v.groups.find(
      (g) =>
        g.name === 'chain' &&
        g.owner !== owner &&
        g.resources.some((r) => r.name === 'base' && r.status === 'online'),
    ),
  )
  await sleep(500)
  const after = await demo.group('chain')
  const app = after.resources.find((r) => r.name === 'app')
  ensure(app?.status !== 'online' && app?.persistentState === 0, 'app was brought online')
  const lines = readLines(`${demo.folder}/chain.ledger`)
  const start = lines.filter((l) => l.name === 'base' && l.what === 'start').at(-1) as LedgerLine
  ensure(start.owner === group.owner, 'base did not start on the new owner')
  const times = timesOf(demo, faultMs, start, /session \d+ lost/, /owns it/)
  await demo.host(owner).boot()
  await demo.allUp()
  return times
}
