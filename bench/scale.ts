/**
 * `npm run bench:scale`: how large a cluster may be: decisions by themselves, and the control plane in
 * workerd with hosts on real sockets. `--json`: one line last. `--only core|live|processes`.
 */
import { parseArgs } from 'node:util'
import { median } from './figures.ts'
import { type Core, measureCore } from './scale-core.ts'
import { measureLive } from './scale-live.ts'
import { measureProcesses } from './scale-processes.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    runs: { type: 'string', default: '3' },
    only: { type: 'string' },
  },
})
const runs = Number(values.runs)
const wants = (part: string) => values.only === undefined || values.only === part

interface Row {
  readonly what: string
  readonly value: number
  readonly unit: string
  readonly budget: number
}
const rows: Row[] = []
const add = (what: string, value: number, unit: string, budget: number) =>
  rows.push({ what, value: Number(value.toPrecision(3)), unit, budget })
const figures: Record<string, unknown> = {}

if (wants('core')) {
  const all = Array.from({ length: runs }, measureCore)
  const of = (name: keyof Core) => Number(median(all.map((one) => one[name])).toPrecision(3))
  add('step, p50', of('p50'), 'µs', 200)
  add('step, p99', of('p99'), 'µs', 2_000)
  add('host death with 500 groups: decided', of('decidedMs'), 'ms', 50)
  add('loss of each of 1,000 nodes worked out', of('lossesMs'), 'ms', 3_000)
  add('the same after a report', of('afterReportMs'), 'ms', 100)
  add('the same after a move', of('afterMoveMs'), 'ms', 100)
  add('heap of 10,000 resources', of('heapMb'), 'MB', 48)
  figures['stepUs'] = { p50: of('p50'), p99: of('p99') }
  figures['planMs'] = of('lossesMs')
  figures['afterChangeMs'] = { report: of('afterReportMs'), move: of('afterMoveMs') }
  figures['heapMb'] = of('heapMb')
  figures['massFailoverMs'] = { decided: of('decidedMs') }
}
if (wants('live')) {
  const live = await measureLive(runs)
  add('global update to 100 nodes, p99', live.globalUpdateMs.p99, 'ms', 20)
  add('1,000 resources online elsewhere', live.takenOverMs, 'ms', 5_000)
  add('hive of 10,000 resources loaded', live.hiveLoadMs, 'ms', 300)
  add('worst pong during a plan', live.worstPongMs, 'ms', 200)
  add('status of 64 nodes, besides Node.js', live.statusMs, 'ms', 200)
  Object.assign(figures, {
    ...{ globalUpdateMs: live.globalUpdateMs, hiveLoadMs: live.hiveLoadMs },
    ...{ worstPongMs: live.worstPongMs, planOf10000Ms: live.planMs, statusMs: live.statusMs },
    massFailoverMs: { ...(figures['massFailoverMs'] as object), simulated1000: live.takenOverMs },
  })
}
if (wants('processes')) {
  const tookMs = await measureProcesses(runs)
  add('200 processes online elsewhere', tookMs, 'ms', 1_000)
  figures['massFailoverMs'] = { ...(figures['massFailoverMs'] as object), processes200: tookMs }
}

for (const { what, value, unit, budget } of rows)
  process.stdout.write(
    `${what.padEnd(40)}${String(value).padStart(9)} ${unit}  budget ${String(budget).padStart(5)}  ${value <= budget ? 'met' : 'not met'}\n`,
  )
const budgetsMet = rows.every(({ value, budget }) => value <= budget)
if (values.json) process.stdout.write(`${JSON.stringify({ ...figures, budgetsMet })}\n`)
process.exit()
