/** The faults, one after the other, and what has come of them. */

import type { LedgerLine } from '../../demo/cluster.ts'
import { bootMs } from '../../probe/clock.ts'
import { takeRealTime } from '../../probe/os/real-time.ts'
import { Random } from '../../sim/world/random.ts'
import type { Arguments } from './arguments.ts'
import { type Drawn, strike, Urn } from './faults.ts'
import { judge } from './judge.ts'
import type { Scene } from './scene.ts'
import { openScene, WITNESSES } from './scene.ts'
import type { Sum } from './sum.ts'
import { BOUND_MS, becomesWell, replicasDiffer } from './well.ts'

/** Chance of a second fault at the same time. */
const PAIR = 0.4
/** Chance that both are done to the same host, or group. */
const TOGETHER = 0.6
/** Writes to the API while a fault is at work. */
const WRITES = 4

export async function run(
  args: Arguments,
  folder: string,
  say: (line: string) => void,
): Promise<Sum> {
  const begun = performance.now()
  // Whoever measures a kill must not come later than it.
  await takeRealTime()
  const scene = await openScene(folder)
  for (const [kind, reason] of scene.missing) say(`skipped  ${kind}: ${reason}`)
  const kinds = args.only.filter((kind) => !scene.missing.has(kind))
  if (kinds.length === 0) throw new Error('none of the faults is to be had on this machine')
  say(`seed ${args.seed}; all is well ${Math.round(performance.now() - begun)} ms after the start`)
  say(`bound of recovery ${BOUND_MS} ms: W(TTL_A) + T_stop + a pause before a connection + a start`)
  const random = new Random(args.seed)
  const urn = new Urn(random, kinds)
  const sum: Sum = {
    rounds: [],
    overlaps: [],
    byFreeze: 0,
    refusedWrites: 0,
    lost: [],
    differ: [],
    resumeOverlapMs: [],
    acks: 0,
  }
  for (let n = 0; n < args.faults; ) {
    const pair = random.chance(PAIR) && n + 1 < args.faults
    const first = urn.next()
    const drawn = [first, ...(pair ? [beside(first, urn.next(), random)] : [])]
    n += drawn.length
    const round = await play(scene, drawn)
    sum.rounds.push(round)
    take(scene, sum)
    say(line(n, round, sum))
    if (round.problem !== null && round.recoverMs === null) break
  }
  await scene.promises.check().catch((error: unknown) => sum.lost.push(`not compared: ${error}`))
  sum.lost.push(...scene.promises.lost)
  sum.acks = scene.promises.acks
  sum.differ.push(...(await replicasDiffer(scene)))
  take(scene, sum)
  for (const what of [...sum.overlaps, ...sum.lost, ...sum.differ]) say(`PROBLEM  ${what}`)
  scene.vm?.stop()
  scene.address.stop()
  return sum
}

/** The second of two meets the first one, more often than not. */
function beside({ host, aimed, group }: Drawn, second: Drawn, random: Random): Drawn {
  return random.chance(TOGETHER) ? { ...second, host, aimed, group } : second
}

export interface Round {
  readonly faults: readonly Drawn[]
  readonly tookMs: number
  /** From the end of the fault until all was well; null: never. */
  readonly recoverMs: number | null
  readonly problem: string | null
  /** The longest time in which one of the witnesses wrote nothing. */
  readonly silentMs: number
}

async function play(scene: Scene, faults: readonly Drawn[]): Promise<Round> {
  const begun = performance.now()
  const begunMs = bootMs()
  let left = WRITES
  const go = () => {
    left -= 1
    return left >= 0
  }
  const writes = Promise.all([scene.promises.write(go), scene.promises.change(go)])
  await Promise.all(faults.map((one) => strike(scene, one)))
  const well = await becomesWell(scene)
  await writes
  await scene.promises.check()
  const recoverMs = typeof well === 'number' ? well : null
  const late = recoverMs === null || recoverMs > BOUND_MS
  return {
    faults,
    tookMs: performance.now() - begun,
    recoverMs,
    silentMs: Math.max(
      ...WITNESSES.map((name) => longestSilence(scene.demo.writes(name), begunMs)),
    ),
    problem: late ? `not recovered in time: ${recoverMs ?? well}` : null,
  }
}

/** Between two writes, whoever made them, since the last one before a moment. */
function longestSilence(writes: readonly LedgerLine[], fromMs: number): number {
  const times = writes.map((line) => line.atMs)
  const first = Math.max(
    0,
    times.findLastIndex((time) => time < fromMs),
  )
  return Math.max(0, ...times.slice(first + 1).map((time, i) => time - (times[first + i] ?? time)))
}

function take(scene: Scene, sum: Sum): void {
  const { freezes, vm, address } = scene
  const verdicts = WITNESSES.map((name) =>
    judge(scene.demo.ledger(name), scene.demo.writes(name), freezes.all),
  )
  const total = (what: 'byFreeze' | 'refusedWrites') =>
    verdicts.reduce((all, verdict) => all + verdict[what], 0)
  const overlaps = verdicts.flatMap((verdict) => verdict.overlaps)
  // Of many writes of one epoch, one is told.
  const others = [...(vm?.overlaps ?? []), ...address.overlaps, ...freezes.neverEnded]
  sum.overlaps = [...new Set([...overlaps, ...others])]
  sum.byFreeze = total('byFreeze') + (vm?.byFreeze ?? 0) + address.byFreeze
  sum.refusedWrites = total('refusedWrites')
  sum.resumeOverlapMs = freezes.resumeOverlapMs
}

function line(n: number, round: Round, sum: Sum): string {
  const names = round.faults.map((one) => {
    const { kind, host, aimed, group, ms } = one
    return `${kind} (${aimed ? `owner of ${group}` : `n${host + 1} ${group}`}, ${ms} ms)`
  })
  const recovered = round.recoverMs === null ? 'NOT WELL' : `${Math.round(round.recoverMs)} ms`
  const bad = [
    ...(round.problem === null ? [] : [round.problem]),
    ...(sum.overlaps.length > 0 ? [`${sum.overlaps.length} OVERLAPS`] : []),
  ]
  const silent = `silent ${Math.round(round.silentMs)} ms`
  return [
    `${String(n).padStart(4)}  ${recovered.padStart(9)}  ${silent.padEnd(15)}  ${names.join(' + ')}`,
    ...bad,
  ].join('  ')
}
