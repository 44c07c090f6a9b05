/**
 * Random faults on real processes, one after the other and two at once, judged by the witness. The
 * seed is printed: HOLDFAST_SEED=n and HOLDFAST_FAULTS=n repeat or lengthen a run.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { killPid } from '../../demo/host.ts'
import { endDemo, startDemo } from './demo.ts'

const SEED = Number(process.env['HOLDFAST_SEED'] ?? 1)
const FAULTS = Number(process.env['HOLDFAST_FAULTS'] ?? 25)
const GROUPS = ['first', 'second'] as const

let demo: Demo
beforeAll(async () => {
  demo = await startDemo()
  for (const name of GROUPS) {
    await demo.addGroup(name, { failoverThreshold: 1_000, failoverPeriodMs: 1 })
    // One restarts where it stands, the other fails over with its second crash.
    await demo.addWitness(name, name, { delayMs: 0, attempts: name === 'first' ? 1_000 : 1 })
    await demo.online(name)
  }
})
afterAll(() => endDemo(demo))

/** The same numbers for the same seed. */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const next = random(SEED)
const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T
const host = () => pick(demo.hosts)
const ask = (route: 'moveGroup' | 'offlineGroup' | 'onlineGroup', group: string) =>
  // Refused while another fault is at work: that is an answer too.
  demo.api(route, { params: { cluster: CLUSTER, group }, body: {} } as never).catch(() => null)

async function freeze(pid: number | undefined, ms: number): Promise<void> {
  if (pid === undefined) return
  process.kill(pid, 'SIGSTOP')
  await sleep(ms)
  try {
    process.kill(pid, 'SIGCONT')
  } catch {
    // It was killed meanwhile.
  }
}

const kill = async (pid: number | null | undefined) => {
  if (pid) killPid(pid)
}

const faults: Record<string, () => Promise<unknown>> = {
  workload: () => kill(demo.ledger(pick(GROUPS)).findLast((line) => line.what === 'start')?.pid),
  agent: () => kill(host().treePids().agent),
  rhs: () => kill(host().treePids().rhs),
  guard: () => kill(host().guardPid),
  tree: async () => host().killProbe(),
  workerd: () => kill(demo.control.workerdPid()),
  frozenAgent: () => freeze(host().treePids().agent, next() * 2_500),
  frozenRhs: () => freeze(host().treePids().rhs, next() * 2_000),
  move: () => ask('moveGroup', pick(GROUPS)),
  powerCut: async () => {
    const dead = host()
    dead.powerCut()
    await sleep(next() * 3_000)
    await dead.boot()
  },
  shutdown: async () => {
    const down = host()
    await down.shutDown()
    await down.boot()
  },
  offlineOnline: async () => {
    const group = pick(GROUPS)
    await ask('offlineGroup', group)
    await sleep(next() * 300)
    await ask('onlineGroup', group)
  },
}

test(`never on two, and always back: ${FAULTS} random faults, seed ${SEED}`, {
  timeout: 60_000 + FAULTS * 20_000,
}, async () => {
  const took: number[] = []
  for (let n = 0; n < FAULTS; n += 1) {
    const names = [pick(Object.keys(faults)), ...(next() < 0.4 ? [pick(Object.keys(faults))] : [])]
    const what = `fault ${n + 1} (${names.join(' + ')}), seed ${SEED}`
    const begun = performance.now()
    await Promise.all(names.map((name) => faults[name]?.()))
    for (const group of GROUPS) await ask('onlineGroup', group)
    await demo.allUp(40_000)
    for (const group of GROUPS) {
      await demo.online(group, undefined, 40_000)
      expect(demo.overlaps(group), what).toBe(0)
    }
    took.push(performance.now() - begun)
    await sleep(next() * 400)
  }
  took.sort((a, b) => a - b)
  const [median, max] = [took[Math.floor(took.length / 2)], took.at(-1)].map((x) =>
    Math.round(x ?? 0),
  )
  process.stdout.write(`recovered after ${median} ms (median), ${max} ms (longest)\n`)
})
