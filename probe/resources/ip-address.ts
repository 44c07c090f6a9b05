/**
 * Resource type `ip-address`: the guard puts the address on its device, with its removal on record:
 * at a lapse it is gone without this module (G4 a, G5). Whether another host has it is asked before,
 * and neighbours are told of its new place after.
 */
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HostPolicy } from '../../schema/host-policy.ts'
import type { Answer, Call, ResourceModule } from '../../schema/resource-type.ts'
import { CONTROLS } from '../../schema/resource-types/controls.ts'
import {
  type IpAddressProperties,
  ipAddressProperties,
} from '../../schema/resource-types/ip-address.ts'
import { allowsAddress } from '../os/allowed.ts'
import { addressStart } from '../os/kernel-starts.ts'
import { canonical, deviceFor, deviceOf, deviceProblem, devicesUp } from '../os/net-devices.ts'
import { toolPath } from '../os/tool-path.ts'
import { lastLines, runAction } from './action.ts'
import { LossWatch } from './loss-watch.ts'
import { environment } from './program.ts'
import { startAndWait } from './start-and-wait.ts'

type AddressCall = Call<IpAddressProperties>
type Section = NonNullable<HostPolicy['ip-address']>

const START_MS = 10_000
/** The kernel asks for a second or two whether an IPv6 address is taken. */
const TENTATIVE_MS = 10_000
const LOOK_MS = 50
const DUPLICATE_MS = 500
const ANNOUNCE_MS = 60_000

export function createIpAddress(section: Section): ResourceModule<IpAddressProperties> {
  const states = (calls: readonly AddressCall[]) => {
    const devices = devicesUp()
    return calls.map((call) => state(call, deviceOf(devices, call.properties.address)))
  }
  const losses = new LossWatch<AddressCall>(['ip', 'monitor', 'link', 'address'], states)
  return {
    type: 'ip-address',
    version: '1.0.0',
    properties: ipAddressProperties,
    host: 'rhs',
    way: 'child',
    validate: async (call) => validate(section, call),
    online(call) {
      losses.asked([call])
      return start(section, call)
    },
    offline: (call) => call.workload.stop(),
    terminate: (call) => call.workload.stop(),
    controls: CONTROLS['ip-address'],
    control: announceAgain,
    async isAlive(calls) {
      losses.asked(calls)
      return states(calls)
    },
    watch: (call, push) => losses.begin(call, push),
    async looksAlive(calls) {
      const devices = devicesUp()
      return Promise.all(
        calls.map(async (call) => {
          const answer = state(call, deviceOf(devices, call.properties.address))
          const taken = answer.status === 'online' && (await kernelSays(call)) === 'taken'
          return taken ? { ...answer, status: 'failed' as const, detail: TAKEN } : answer
        }),
      )
    },
  }
}

const TAKEN = 'another host has this address'

function state(call: AddressCall, device: string | null): Answer {
  const { guid, persistentState, properties, workload } = call
  const onRecord = workload.process !== null
  const elsewhere = properties.device !== undefined && device !== properties.device
  if (device === null || elsewhere) {
    const where = properties.device ?? 'any device that is up'
    const problem = properties.device === undefined ? null : deviceProblem(properties.device)
    const detail = onRecord ? { detail: problem ?? `the address is not on ${where}` } : {}
    return { guid, status: 'offline', ...detail }
  }
  // Wanted, its Online puts it on record; until then the guard could not take it away.
  if (onRecord || persistentState === 0) return { guid, status: 'online' }
  return { guid, status: 'offline', detail: `it is on ${device}, but not by this host’s guard` }
}

async function start(section: Section, call: AddressCall): Promise<void> {
  const { properties: p, workload, signal } = call
  const address = canonical(p.address)
  const present = deviceOf(devicesUp(), address)
  const device = deviceThatMay(section, p.device ?? present, address)
  if (workload.process !== null) {
    if (present === device) return
    await workload.stop()
    signal.throwIfAborted()
  }
  const problem = deviceProblem(device)
  if (problem) throw new Error(problem)
  const v4 = isIPv4(address.split('/')[0] ?? '')
  if (v4 && present === null && p.duplicateCheck) await checkDuplicate(call, device)
  if (!v4 && p.announce > 0) announceV6(call, device)
  await put(call, address, device)
  if (!v4 && p.duplicateCheck) await settled(call)
  if (v4 && p.announce > 0) announceV4(call, device)
}

/** @throws {Error} no device, or one that the policy does not allow it on */
function deviceThatMay(section: Section, named: string | null, address: string): string {
  const device = named ?? deviceFor(devicesUp(), address)
  if (device === null)
    throw new Error(`no device that is up has an address of the network of ${address}: name one`)
  if (!allowsAddress(section, { address, device }))
    throw new Error(`hostPolicy: this host's policy does not allow ${address} on ${device}`)
  return device
}

/** Without asking anybody whether the address is taken: its owner may have it to this moment. */
function validate(section: Section, { properties: p, dependent }: AddressCall): void {
  const address = canonical(p.address)
  // What another resource of the group makes is not there yet.
  if (dependent && p.device === undefined) return
  const device = deviceThatMay(section, p.device ?? deviceOf(devicesUp(), address), address)
  const problem = dependent ? null : deviceProblem(device)
  if (problem) throw new Error(problem)
}

async function put(call: AddressCall, address: string, device: string): Promise<void> {
  const end = await startAndWait(call, START_MS, {
    ...addressStart(address, device),
    env: environment(call, {}),
    daemon: true,
    undo: { kind: 'address', address, device },
  })
  if (end.code === 0) return
  await call.workload.stop()
  throw new Error(`${address} cannot be put on ${device}: ${lastLines(end.output) || 'no end'}`)
}

/**
 * One question: whoever has the address answers within a millisecond or two. `arping` itself counts
 * in seconds, so it is ended, which is the good case.
 *
 * @throws {Error} another host answers for it, or this one cannot ask
 */
async function checkDuplicate(call: AddressCall, device: string): Promise<void> {
  const [ip = ''] = call.properties.address.split('/')
  const args = ['-D', '-f', '-I', device, ip]
  const { code, output, timedOut } = await arping(call, args, call.signal, DUPLICATE_MS)
  const [, who] = /reply from \S+ \[(\S+)\]/.exec(output) ?? []
  if (who !== undefined) throw new Error(`${TAKEN}: ${who} answers for ${ip} on ${device}`)
  call.signal.throwIfAborted()
  if (!timedOut) throw new Error(`arping: exit code ${code}: ${lastLines(output)}`)
}

/** In the background: the address works, and some of its neighbours know it already. */
function announceV4(call: AddressCall, device: string): void {
  const { properties, guid } = call
  const [ip = ''] = properties.address.split('/')
  const told = new AbortController()
  const args = ['-U', '-q', '-c', String(properties.announce), '-I', device, ip]
  arping(call, args, told.signal, ANNOUNCE_MS).then(
    ({ code, output }) => code !== 0 && call.log(`arping: exit code ${code}: ${lastLines(output)}`),
    (error) => call.log(`${guid}: neighbours are not told: ${error}`),
  )
}

/** Once, and only where it is: what is announced from elsewhere would be believed. */
async function announceAgain(call: AddressCall): Promise<void> {
  const address = canonical(call.properties.address)
  const device = deviceOf(devicesUp(), address)
  if (call.workload.process === null || device === null) throw new Error('it is not on this host')
  const [ip = ''] = address.split('/')
  if (!isIPv4(ip)) throw new Error('the kernel tells neighbours of an IPv6 address by itself')
  const args = ['-U', '-q', '-c', '1', '-I', device, ip]
  const { code, output } = await arping(call, args, call.signal, ANNOUNCE_MS)
  if (code !== 0) throw new Error(`arping: exit code ${code}: ${lastLines(output)}`)
}

function arping(
  call: AddressCall,
  args: readonly string[],
  signal: AbortSignal,
  timeoutMs: number,
) {
  const command = toolPath('arping')
  if (command === null)
    throw new Error(
      'this host has no arping: apt install iputils-arping, or set duplicateCheck=false and announce=0',
    )
  return runAction({ command, args, env: environment(call, {}), timeoutMs, signal })
}

/** The kernel tells all neighbours of each address that it adds from then on. */
function announceV6(call: AddressCall, device: string): void {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${device}/ndisc_notify`, '1')
  } catch (error) {
    call.log(`neighbours are not told: ${error}`)
  }
}

/** Waits until the kernel is sure that nobody else has it. */
async function settled(call: AddressCall): Promise<void> {
  const end = performance.now() + TENTATIVE_MS
  for (;;) {
    const said = await kernelSays(call)
    if (said === 'fine') return
    if (said === 'taken' || performance.now() > end) {
      await call.workload.stop()
      throw new Error(said === 'taken' ? TAKEN : `it was tentative for ${TENTATIVE_MS} ms`)
    }
    await sleep(LOOK_MS, undefined, { signal: call.signal })
  }
}

/** `/proc/net/if_inet6`: address, index, prefix length, scope, flags, device. */
const FLAGS = { dadFailed: 0x08, tentative: 0x40 }

async function kernelSays(call: AddressCall): Promise<'fine' | 'asking' | 'taken'> {
  const [ip = ''] = canonical(call.properties.address).split('/')
  if (isIPv4(ip)) return 'fine'
  const hex = hexOf(ip)
  for (const line of (await readFile('/proc/net/if_inet6', 'latin1')).split('\n')) {
    const [address, , , , flags] = line.trim().split(/\s+/)
    if (address !== hex) continue
    const bits = Number.parseInt(flags ?? '0', 16)
    if (bits & FLAGS.dadFailed) return 'taken'
    return bits & FLAGS.tentative ? 'asking' : 'fine'
  }
  return 'fine'
}

/** All 32 digits of an IPv6 address. */
function hexOf(ip: string): string {
  const v4 = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(ip)
  const pair = (a = '0', b = '0') => (Number(a) * 256 + Number(b)).toString(16)
  const text = v4 ? `${v4[1]}${pair(v4[2], v4[3])}:${pair(v4[4], v4[5])}` : ip
  const [head = '', tail] = text.split('::')
  const words = (part = '') => part.split(':').filter(Boolean)
  const [left, right] = [words(head), words(tail)]
  const zeros = tail === undefined ? [] : Array(8 - left.length - right.length).fill('0')
  return [...left, ...zeros, ...right].map((word) => word.padStart(4, '0')).join('')
}
