/** S-36: the loss of an address, of its link and of a mount is seen when it happens, by one listener for all. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { createFileSystem } from '../../probe/resources/file-system.ts'
import { createIpAddress } from '../../probe/resources/ip-address.ts'
import type { Answer, Call, ResourceModule } from '../../schema/resource-type.ts'

const DEVICE = `hfl${process.pid % 100_000}`
const ip = (...words: string[]) => execFileSync('ip', words, { stdio: 'pipe' })
const missing = cannot()
if (missing !== null) process.stdout.write(`skipped: loss of addresses and mounts: ${missing}\n`)

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

interface Push extends Answer {
  readonly atMs: number
}

/** One resource that the guard has on record, watched. */
function watch(module: ResourceModule, guid: string, properties: object, recorded = true) {
  const said: Push[] = []
  const call = {
    ...{ guid, name: guid, properties, persistentState: 1, log: () => {} },
    workload: { process: recorded ? { pid: 4_711, startTicks: 1 } : null },
  } as unknown as Call
  const stop = module.watch?.(call, (answer) => said.push({ ...answer, atMs: performance.now() }))
  if (stop) stops.push(stop)
  return { said, call, stop: stop as () => void }
}
const until = async (what: string, look: () => boolean) => {
  const end = performance.now() + 10_000
  while (!look()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`)
    await sleep(5)
  }
}
/** Processes of ours, or of `of`, that listen to the kernel. */
const listeners = (tool: string) =>
  readdirSync('/proc').filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return words[0]?.endsWith(`/${tool}`) && words.some((w) => w === 'monitor' || w === '--poll')
    } catch {
      return false
    }
  })
/** It listens from some moment on; what is lost before is found a little later. */
const listens = async (tool: string, before: readonly string[]) => {
  await until(`${tool} listens`, () => listeners(tool).some((pid) => !before.includes(pid)))
  await sleep(1_200)
  return listeners(tool).filter((pid) => !before.includes(pid))
}

describe.skipIf(missing !== null)('losses', () => {
  test('an address that is removed, and a link that goes down: all of it at once, by one listener', async () => {
    ip('link', 'add', DEVICE, 'type', 'veth', 'peer', 'name', `${DEVICE}p`)
    try {
      for (const one of [DEVICE, `${DEVICE}p`]) ip('link', 'set', one, 'up')
      const module = createIpAddress({ networks: ['198.51.100.0/24'] }) as unknown as ResourceModule
      const addresses = Array.from({ length: 200 }, (_, n) => `198.51.100.${n + 1}/32`)
      for (const address of addresses) ip('address', 'add', address, 'dev', DEVICE)
      const before = listeners('ip')
      const all = addresses.map((address, n) => watch(module, `a${n}`, { address, device: DEVICE }))
      const unrecorded = watch(module, 'u', { address: '198.51.100.250/32', device: DEVICE }, false)
      const own = await listens('ip', before)
      expect(own).toHaveLength(1)
      expect(all.flatMap(({ said }) => said)).toEqual([])

      const first = all[0] as (typeof all)[0]
      ip('address', 'del', addresses[0] as string, 'dev', DEVICE)
      const removedMs = performance.now()
      await until('the loss is seen', () => first.said.length > 0)
      expect(first.said[0]).toMatchObject({
        status: 'offline',
        detail: `the address is not on ${DEVICE}`,
      })
      const tookMs = (first.said[0]?.atMs ?? 0) - removedMs
      process.stdout.write(`removal of one address of 200 seen after ${tookMs.toFixed(1)} ms\n`)
      expect(tookMs).toBeLessThan(1_000)
      expect(all.slice(1).flatMap(({ said }) => said)).toEqual([])

      ip('link', 'set', DEVICE, 'down')
      await until('all are seen', () => all.every(({ said }) => said.length > 0))
      expect(all[1]?.said.at(-1)).toMatchObject({ detail: `device ${DEVICE} is down` })
      expect(unrecorded.said).toEqual([])

      // With the last resource it goes.
      for (const { stop } of all) stop()
      unrecorded.stop()
      await until('it has ended', () => !listeners('ip').some((pid) => own.includes(pid)))
    } finally {
      ip('link', 'del', DEVICE)
    }
  })

  test('an unmount, and properties that were changed meanwhile', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-losses-'))
    const [one, other] = [join(folder, 'one'), join(folder, 'other')]
    const mount = (target: string) => execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', target])
    try {
      for (const target of [one, other]) {
        mkdirSync(target)
        mount(target)
      }
      const module = createFileSystem({
        sources: ['tmpfs'],
        targets: [`${folder}/*`],
      }) as unknown as ResourceModule
      const before = listeners('findmnt')
      const properties = { source: 'tmpfs', options: [] }
      const a = watch(module, 'a', { ...properties, target: one })
      const b = watch(module, 'b', { ...properties, target: other })
      expect(await listens('findmnt', before)).toHaveLength(1)
      execFileSync('umount', [one])
      const lostMs = performance.now()
      await until('the unmount is seen', () => a.said.length > 0)
      const tookMs = (a.said[0]?.atMs ?? 0) - lostMs
      process.stdout.write(`unmount seen after ${tookMs.toFixed(1)} ms\n`)
      expect(a.said[0]).toMatchObject({ status: 'offline', detail: 'it is not mounted' })
      expect(tookMs).toBeLessThan(1_000)
      expect(b.said).toEqual([])
      // Told of another target by a check, it is that one that counts.
      mount(one)
      await module.isAlive([{ ...b.call, properties: { ...properties, target: one } }])
      execFileSync('umount', [other])
      await sleep(500)
      expect(b.said).toEqual([])
    } finally {
      for (const target of [one, other])
        try {
          execFileSync('umount', [target], { stdio: 'pipe' })
        } catch {
          // Unmounted by the test.
        }
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('a listener that ends is begun again, and none outlives its monitor', async () => {
    const before = listeners('findmnt')
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-listener-'))
    const file = join(folder, 'monitor.mts')
    const at = new URL('../../probe/resources/loss-watch.ts', import.meta.url).href
    writeFileSync(
      file,
      `import { LossWatch } from '${at}'
const workload = { process: null }
const watch = new LossWatch(['findmnt', '-rn', '--poll', '-o', 'ACTION'], () => [])
watch.begin({ guid: 'a', workload, log() {} }, () => {})
setInterval(() => {}, 1_000)
`,
    )
    const monitor = spawn(process.execPath, [file], { stdio: 'inherit' })
    try {
      const [first] = await listens('findmnt', before)
      process.kill(Number(first), 'SIGKILL')
      await until('another one', () =>
        listeners('findmnt').some((pid) => pid !== first && !before.includes(pid)),
      )
      monitor.kill('SIGKILL')
      await until('none is left', () => listeners('findmnt').every((pid) => before.includes(pid)))
    } finally {
      monitor.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    }
  }, 30_000)
})

function cannot(): string | null {
  try {
    ip('link', 'add', `${DEVICE}x`, 'type', 'veth', 'peer', 'name', `${DEVICE}y`)
    ip('link', 'del', `${DEVICE}x`)
    execFileSync('findmnt', ['-rn', '-o', 'TARGET', '/'], { stdio: 'pipe' })
    return null
  } catch (error) {
    return (error as Error).message.slice(0, 200)
  }
}
