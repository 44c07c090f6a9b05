/** Steps of the tour with a real virtual machine. */
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Demo } from '../cluster.ts'
import { killPid } from '../host.ts'
import { ensure, judged } from './helpers.ts'
import { breakDown, logSince } from './times.ts'

/** The guest writes this line each time it boots. */
function boots(demo: Demo): number {
  const path = demo.vmSerialLog('vm')
  return existsSync(path) ? (readFileSync(path, 'latin1').match(/GUEST-READY/g)?.length ?? 0) : 0
}

async function nextBoot(demo: Demo, before: number, timeoutMs = 30_000): Promise<number> {
  const end = performance.now() + timeoutMs
  while (performance.now() < end) {
    if (boots(demo) > before) return Date.now()
    await sleep(5)
  }
  throw new Error(`the guest did not boot within ${timeoutMs} ms`)
}

export async function vmCrash(demo: Demo) {
  await demo.addGroup('vm')
  await demo.addVm('vm', 'vm', { delayMs: 0 })
  await demo.online('vm')
  const owner = (await demo.group('vm')).owner as string
  await nextBoot(demo, 0)
  const pid = demo.host(owner).options.libvirt?.emulators().get('vm')
  ensure(pid, 'no emulator runs')
  const before = boots(demo)
  const faultMs = Date.now()
  killPid(pid)
  const bootedMs = await nextBoot(demo, before)
  const group = await demo.online('vm')
  ensure(group.owner === owner, 'it was moved')
  await sleep(100)
  const lines = await logSince(demo, faultMs)
  return {
    ...breakDown(lines, faultMs, bootedMs, /failed: /, /restart .* → online/),
    ...judged(demo),
  }
}

/** The host died in the step before, with its libvirtd and the VM: where is the VM now? */
export async function vmFailover(demo: Demo) {
  const down = (await demo.view()).nodes.find((n) => n.state === 'down')
  ensure(down, 'no node is down')
  const group = await demo.online('vm')
  ensure(group.owner !== down.name, 'it is said to run on the dead host')
  const owner = demo.host(group.owner as string)
  ensure(owner.options.libvirt?.emulators().get('vm'), 'no emulator runs on the new owner')
  const { entries } = await demo.api('listLog', {
    params: { cluster: 'demo' },
    query: { limit: 1_000 },
  })
  const lost = entries.filter((l) => /session \d+ lost/.test(l.message)).at(-1)
  ensure(lost, 'nothing in the log')
  const lines = entries.filter((l) => l.atMs >= lost.atMs)
  const online = lines.find((l) => /^vm is online/.test(l.message))
  ensure(online, 'the log does not say that it is online')
  return {
    ...breakDown(lines, lost.atMs, online.atMs, /session \d+ lost/, /group vm: \S+ owns it/),
    ...judged(demo),
  }
}
