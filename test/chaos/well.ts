/** When all is well again, and within what time it has to be. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CLUSTER } from '../../demo/cluster.ts'
import { PROFILES, waitMs } from '../../schema/timing.ts'
import { livingWitnesses } from './freezes.ts'
import { type Scene, WITNESSES } from './scene.ts'

const { ttlAuthorityMs, marginMs, stopMs } = PROFILES.test
/** The longest pause between two attempts to connect (`reconnectDelayMs`), with its jitter. */
const RECONNECT_MS = 7_500
/** Processes of a whole host, and what it runs, on two cores that have other things to do. */
const START_MS = 10_000
/** From the end of a fault: the longest lease wait, the stop, a pause before a connection, a start. */
export const BOUND_MS = waitMs(ttlAuthorityMs, marginMs) + stopMs + RECONNECT_MS + START_MS
/** After this it is given up: what follows would say nothing. */
const HOPELESS_MS = 90_000
const POLL_MS = 50

/** @returns how long it took, milliseconds, or why it is not well after all */
export async function becomesWell(scene: Scene): Promise<number | string> {
  const begun = performance.now()
  for (;;) {
    const not = await whatIsNotWell(scene)
    const took = performance.now() - begun
    if (not === null) return took
    if (took > HOPELESS_MS) return not
    await sleep(POLL_MS)
  }
}

/** Operators want everything online, on nodes that take it. */
async function wanted(scene: Scene): Promise<string | null> {
  const { demo, promises } = scene
  const view = await demo.view()
  for (const node of view.nodes.filter((one) => one.paused))
    await demo.api('resumeNode', { params: { cluster: CLUSTER, node: node.name } })
  for (const group of scene.groups) if (promises.wanted(group) !== 1) await promises.want(group, 1)
  const up = view.nodes.filter((n) => n.state === 'up' && n.connected).map((n) => n.name)
  if (up.length !== demo.hosts.length) return `only ${up.join(' ')} up`
  const off = view.groups.filter((g) => scene.groups.includes(g.name) && g.state !== 'online')
  if (off.length > 0) return off.map((g) => `${g.name} ${g.state} on ${g.owner}`).join(', ')
  const living = livingWitnesses(demo)
  for (const name of WITNESSES) {
    const pids = living.get(name) ?? []
    const last = demo.ledger(name).findLast((line) => line.what === 'start')
    if (pids.length !== 1) return `${name} runs ${pids.length} times (${pids.join(' ')})`
    const owner = view.groups.find((g) => g.name === name)?.owner
    if (last?.pid !== pids[0] || last?.owner !== owner)
      return `${name} runs on ${last?.owner}, the hive says ${owner}`
  }
  const holders = scene.address.hosts()
  const owner = view.groups.find((g) => g.name === 'address')?.owner
  if (holders.join(' ') !== owner)
    return `the address is on ${holders.join(' ') || 'no host'}, the hive says ${owner}`
  const guests = scene.vm?.hosts()
  if (guests && guests.length !== 1) return `the guest runs on ${guests.join(' ') || 'no host'}`
  return null
}

async function whatIsNotWell(scene: Scene): Promise<string | null> {
  const problem = await wanted(scene).catch((error: unknown) => `no answer: ${error}`)
  if (problem !== null) return problem
  for (const host of scene.demo.hosts) {
    const status = await host.status()
    if (!status?.agent.info?.connected) return `${host.name}: the agent has no session`
    if (status.rhs.pid === null) return `${host.name}: no resource monitor`
  }
  return null
}

/** Every host has the hive that the control plane has, update for update. */
export async function replicasDiffer(scene: Scene): Promise<string[]> {
  const differ: string[] = []
  for (let end = performance.now() + 10_000; ; await sleep(100)) {
    const hive = await scene.demo.api('getHive', { params: { cluster: CLUSTER } })
    differ.length = 0
    for (const host of scene.demo.hosts) {
      const replica = (await host.status())?.agent.info?.replica
      if (replica?.seq !== hive.seq || replica.hash !== hive.hash)
        differ.push(
          `${host.name} has ${replica?.seq} ${replica?.hash}, not ${hive.seq} ${hive.hash}`,
        )
    }
    if (differ.length === 0 || performance.now() > end) return differ
  }
}
