/**
 * `npm run tour`: real workloads survive what the tour does to them. `--json`: one line last. `--vm`: two
 * virtual machines on two hosts, instead. `--profile standard`: leases for a machine that is busy.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { profileName } from '../schema/timing.ts'
import { Demo } from './cluster.ts'
import { type StepResult, steps, type TourStep } from './tour/steps.ts'
import { endWatches, vmSteps } from './tour/vm-tour.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    'no-vm': { type: 'boolean', default: false },
    vm: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    profile: { type: 'string', default: 'fast' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'holdfast-tour-'))
const say = (line: string) => process.stderr.write(`${line}\n`)
const results: StepResult[] = []
const skipped: { name: string; reason: string }[] = []

const demo = await Demo.start({
  ...{ folder, port: 0, profile: profileName.parse(values.profile), vm: !values['no-vm'] },
  ...(values.vm && { hosts: ['n1', 'n2'] }),
})
let interrupted = false
process.once('SIGINT', () => {
  interrupted = true
  void demo.kill().then(() => process.exit(130))
})
try {
  await demo.allUp()
  for (const step of values.vm ? vmSteps : steps) await runStep(step)
} finally {
  await endWatches()
  if (!interrupted) await demo.kill()
  if (!values.keep) rmSync(folder, { recursive: true, force: true })
}
const overlaps = results.reduce((sum, r) => sum + r.overlaps, 0)
const ok = results.every((r) => r.ok) && overlaps === 0
report()
process.exit(ok ? 0 : 1)

async function runStep(step: TourStep): Promise<void> {
  const missing = step.needsVm ? demo.vmMissing : null
  if (missing !== null) {
    skipped.push({ name: step.name, reason: missing })
    say(`skipped  ${step.name}: ${missing}`)
    return
  }
  try {
    const result = { ...(await step.run(demo)), name: step.name, ok: true }
    results.push(result)
    say(`ok       ${step.name}  ${result.totalMs} ms`)
  } catch (error) {
    say(`FAILED   ${step.name}: ${error instanceof Error ? error.message : error}`)
    const nothing = { detectMs: null, decideMs: null, onlineMs: null, totalMs: null, overlaps: 0 }
    results.push({ name: step.name, ok: false, ...nothing })
  }
}

function report(): void {
  const cell = (ms: number | null) => (ms === null ? '–' : String(ms)).padStart(9)
  const lines = [
    `${'step'.padEnd(58)}${['detected', 'decided', 'online', 'total'].map((h) => h.padStart(9)).join('')}  (ms)`,
    ...results.map(
      (r) =>
        `${`${r.ok ? '✔' : '✗'} ${r.name}`.padEnd(58)}${cell(r.detectMs)}${cell(r.decideMs)}${cell(r.onlineMs)}${cell(r.totalMs)}`,
    ),
    ...skipped.map((s) => `- ${s.name}: skipped, ${s.reason}`),
    values.vm
      ? `guests that executed in two places at once: ${overlaps}`
      : `overlaps seen by the witness: ${overlaps}`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  if (!values.json) return
  const rows = results.map(({ overlaps: _, ...row }) => row)
  const document = {
    tour: true,
    vm: values.vm,
    ok,
    overlaps,
    skipped: skipped.map((s) => s.name),
    steps: rows,
  }
  process.stdout.write(`${JSON.stringify(document)}\n`)
}
