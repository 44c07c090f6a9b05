/** `npm run tour -- --vm`: two virtual machines on two hosts, kept alive, moved, and failed over. */
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLUSTER, type Demo } from '../cluster.ts'
import { type DemoHost, killPid } from '../host.ts'
import { ExecutionWatch } from '../vm/execution-watch.ts'
import { ensure, otherNode } from './helpers.ts'
import type { TourStep } from './steps.ts'
import { breakDown, logSince } from './times.ts'

const NAMES = ['alpha', 'beta'] as const
type Name = (typeof NAMES)[number]

export const vmSteps: readonly TourStep[] = [
  { name: 'two virtual machines start, one on each host', run: firstStart },
  { name: 'QEMU killed: restarted where it stands', run: crash },
  { name: 'libvirtd killed: its guest runs on, nothing is done', run: daemonDeath },
  { name: 'the guest shuts down: it stays off, as wished', run: guestShutdown },
  { name: 'live move: the guest counts on', run: (demo: Demo) => travel(demo, 'live') },
  { name: 'quick move: saved there, restored here', run: (demo: Demo) => travel(demo, 'quick') },
  { name: 'power cut of a host: its guest comes up on the other', run: hostDeath },
  { name: 'the host comes back, and nothing moves by itself', run: hostReturns },
].map((step) => ({ ...step, needsVm: true }))

const watches = new Map<Name, ExecutionWatch>()
let seen = 0

/** Nobody looks any more. */
export async function endWatches(): Promise<void> {
  for (const watch of watches.values()) await watch.stop()
}

/** What has executed in two places at once since the last look. */
function judged(): { overlaps: number } {
  const all = [...watches.values()].reduce((sum, watch) => sum + watch.overlaps.length, 0)
  const overlaps = all - seen
  seen = all
  return { overlaps }
}

async function firstStart(demo: Demo) {
  const faultMs = Date.now()
  for (const [i, name] of NAMES.entries()) {
    await demo.addGroup(name, { preferredOwners: [demo.hosts[i]?.name] })
    await demo.addVm(name, name, { delayMs: 0 })
  }
  for (const [i, name] of NAMES.entries()) {
    await demo.online(name, demo.hosts[i]?.name)
    const params = { cluster: CLUSTER, resource: name }
    const { id } = await demo.api('getResource', { params })
    watches.set(name, new ExecutionWatch(demo, name, id))
    await boots(demo, name, 1)
  }
  return total(faultMs)
}

async function crash(demo: Demo) {
  const before = await demo.group('alpha')
  const pid = emulator(ownerOf(demo, before), 'alpha')
  const booted = bootsOf(demo, 'alpha')
  const faultMs = Date.now()
  killPid(pid)
  const bootedMs = await boots(demo, 'alpha', booted + 1)
  const after = await demo.online('alpha')
  ensure(after.owner === before.owner, 'it was moved')
  ensure(after.epoch === before.epoch, 'a restart in place must not change the epoch')
  await sleep(100)
  const lines = await logSince(demo, faultMs)
  return { ...breakDown(lines, faultMs, bootedMs, /failed: /, /restart .* → online/), ...judged() }
}

/** S-62: that nobody can be asked is no end of anything. */
async function daemonDeath(demo: Demo) {
  const before = await demo.group('beta')
  const host = ownerOf(demo, before)
  const [pid, booted] = [emulator(host, 'beta'), bootsOf(demo, 'beta')]
  const faultMs = Date.now()
  await host.options.libvirt?.kill()
  // Beyond an IsAlive, which cannot be answered.
  await counts(demo, 'beta', 6)
  ensure(emulator(host, 'beta') === pid, 'the guest did not survive')
  await host.options.libvirt?.start()
  await demo.online('beta', host.name)
  await counts(demo, 'beta', 1)
  ensure(emulator(host, 'beta') === pid && bootsOf(demo, 'beta') === booted, 'it was started anew')
  return total(faultMs)
}

async function guestShutdown(demo: Demo) {
  const host = ownerOf(demo, await demo.group('beta'))
  const params = { cluster: CLUSTER, resource: 'beta' }
  const { id } = await demo.api('getResource', { params })
  const faultMs = Date.now()
  const domain = { name: 'beta', uuid: id, id: -1 }
  await watches.get('beta')?.client(host).shutdown(domain)
  await demo.until('it is off, and wanted off', (v) =>
    v.groups
      .find((g) => g.name === 'beta')
      ?.resources.every((r) => r.status === 'offline' && r.persistentState === 0),
  )
  const offMs = Date.now()
  await sleep(1_500)
  ensure(!running(host, 'beta'), 'it was started against the wish of its guest')
  const booted = bootsOf(demo, 'beta')
  await demo.api('onlineResource', { params })
  await demo.online('beta', host.name)
  await boots(demo, 'beta', booted + 1)
  return { ...total(faultMs), totalMs: offMs - faultMs }
}

async function travel(demo: Demo, method: 'live' | 'quick') {
  const from = ownerOf(demo, await demo.group('alpha'))
  const to = otherNode(demo, from.name)
  const booted = bootsOf(demo, 'alpha')
  const faultMs = Date.now()
  const params = { cluster: CLUSTER, group: 'alpha' }
  await demo.api('moveGroup', { params, body: { to, method } })
  await demo.online('alpha', to)
  const done = total(faultMs)
  ensure(!running(from, 'alpha') && running(demo.host(to), 'alpha'), 'it is not where it was sent')
  await counts(demo, 'alpha', 2)
  ensure(bootsOf(demo, 'alpha') === booted, 'the guest was started anew')
  return { ...done, ...judged() }
}

async function hostDeath(demo: Demo) {
  const host = ownerOf(demo, await demo.group('beta'))
  const other = demo.host(otherNode(demo, host.name))
  const booted = bootsOf(demo, 'beta')
  const faultMs = Date.now()
  host.powerCut()
  await demo.online('beta', other.name)
  const bootedMs = await boots(demo, 'beta', booted + 1)
  await demo.online('alpha', other.name)
  const lines = await logSince(demo, faultMs)
  const times = breakDown(lines, faultMs, bootedMs, /session \d+ lost/, /group beta: \S+ owns it/)
  return { ...times, ...judged() }
}

async function hostReturns(demo: Demo) {
  const down = (await demo.view()).nodes.find((n) => n.state === 'down')
  ensure(down, 'no node is down')
  const faultMs = Date.now()
  await demo.host(down.name).boot()
  await demo.allUp()
  const done = total(faultMs)
  const other = otherNode(demo, down.name)
  for (const name of NAMES) {
    await demo.online(name, other)
    await counts(demo, name, 1)
    ensure(!running(demo.host(down.name), name), `${name} runs on the host that came back`)
  }
  return { ...done, ...judged() }
}

/** Steps that are one piece. */
function total(faultMs: number) {
  const none = { detectMs: null, decideMs: null, onlineMs: null }
  return { ...none, totalMs: Date.now() - faultMs, ...judged() }
}

function ownerOf(demo: Demo, { owner }: { owner: string | null }): DemoHost {
  ensure(owner, 'nobody owns it')
  return demo.host(owner)
}

const running = (host: DemoHost, name: Name) => host.options.libvirt?.emulators().has(name) === true

function emulator(host: DemoHost, name: Name): number {
  const pid = host.options.libvirt?.emulators().get(name)
  ensure(pid, 'no emulator runs')
  return pid
}

function serial(demo: Demo, name: Name): string {
  const path = demo.vmSerialLog(name)
  return existsSync(path) ? readFileSync(path, 'latin1') : ''
}

/** The guest writes this line each time it boots. */
const bootsOf = (demo: Demo, name: Name) => serial(demo, name).split('GUEST-READY').length - 1

/** @returns when it had booted so often, by the wall clock */
async function boots(demo: Demo, name: Name, times: number): Promise<number> {
  await within(`${name} boots`, () => bootsOf(demo, name) >= times)
  return Date.now()
}

/** The guest says a number a second. */
async function counts(demo: Demo, name: Name, seconds: number): Promise<void> {
  const lines = () => serial(demo, name).split('\n').length
  const before = lines()
  await within(`${name} counts on`, () => lines() >= before + seconds)
}

async function within(what: string, met: () => boolean): Promise<void> {
  for (const end = performance.now() + 30_000; !met(); await sleep(5))
    if (performance.now() > end) throw new Error(`waited 30 s in vain until ${what}`)
}
