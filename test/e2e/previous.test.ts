/**
 * The version before (test/previous, kept by tools/keep-previous.ts) and this one, in both directions: hosts and
 * control plane are updated in any order, and a new control plane can be taken back.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Demo } from '../../demo/cluster.ts'
import { type ControlPlane, startControlPlane } from '../../demo/control-plane.ts'
import { PROTOCOL, PROTOCOL_OLDEST } from '../../schema/session.ts'
import { endDemo, eventually, startDemo, starts } from './demo.ts'

const KEPT = new URL('../previous/', import.meta.url).pathname
const about = JSON.parse(readFileSync(join(KEPT, 'about.json'), 'utf8')) as { protocol: number }
const kept = (name: string) =>
  brotliDecompressSync(readFileSync(join(KEPT, `${name}.br`))).toString()

let demo: Demo
let control: ControlPlane
beforeAll(async () => {
  // Leases that outlast a restart of the control plane on a busy machine.
  demo = await startDemo({
    profile: 'wan',
    hosts: ['old', 'new'],
    hostOptions: (name) => (name === 'old' ? { probe: previousProbe() } : {}),
  })
  control = demo.control
  await demo.addGroup('ledger')
  await demo.addWitness('ledger', 'ledger')
  await demo.online('ledger', 'old')
  await eventually('the witness writes', () => starts(demo).length === 1)
}, 120_000)
afterAll(async () => {
  if (control !== demo?.control) await control?.stop()
  await endDemo(demo)
})

/** Its three files in a folder of their own, as an installed probe has them. */
function previousProbe(): string {
  const folder = join(process.env['TMPDIR'] ?? '/tmp', `holdfast-test-previous-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  for (const name of ['holdfast-probe.js', 'holdfast-agent.js', 'holdfast-rhs.js'])
    writeFileSync(join(folder, name), kept(name), { mode: 0o755 })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  return join(folder, 'holdfast-probe.js')
}

async function moveTo(node: string, count: number): Promise<void> {
  await demo.api('moveGroup', { params: { cluster: 'demo', group: 'ledger' }, body: { to: node } })
  await eventually(`it runs on ${node}`, async () => (await demo.group('ledger')).owner === node)
  await eventually('the witness writes', () => starts(demo).length === count, 20_000)
  expect(demo.overlaps('ledger')).toBe(0)
}

/** On the same address and the same state: hosts come back to it by themselves. */
async function controlPlane(made: (bundle: string) => string): Promise<void> {
  const { port } = control
  await control.stop()
  const folder = join(demo.folder, 'control')
  control = await startControlPlane({ folder, port, thisPortOnly: true, made })
  await demo.allUp()
}

test('the protocol of the version before is spoken yet', () => {
  expect(PROTOCOL_OLDEST).toBeLessThanOrEqual(about.protocol)
  expect(about.protocol).toBeLessThanOrEqual(PROTOCOL)
})

test('this control plane, a host of the version before and one of this: a group moves both ways', async () => {
  await moveTo('new', 2)
  await moveTo('old', 3)
}, 60_000)

test('the control plane is taken back to the version before, on the state of this one: nothing restarts, and it decides', async () => {
  await controlPlane(() => kept('worker.js'))
  expect(starts(demo)).toHaveLength(3)
  await moveTo('new', 4)
}, 90_000)

test('this control plane again: nothing restarts, and a host that is lost is taken over by the other version', async () => {
  await controlPlane((bundle) => bundle)
  expect(starts(demo)).toHaveLength(4)
  demo.host('new').powerCut()
  await eventually('it runs on old', () => starts(demo).length === 5, 60_000)
  expect((await demo.group('ledger')).owner).toBe('old')
  expect(demo.overlaps('ledger')).toBe(0)
}, 120_000)
