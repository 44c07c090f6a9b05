/** The cluster that faults are done to: real processes, each host in a network of its own. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CLUSTER, Demo } from '../../demo/cluster.ts'
import type { DemoHost } from '../../demo/host.ts'
import { addScript, type DaemonScript, daemonScript } from '../e2e/daemon-script.ts'
import { Promises, SETTINGS } from '../kill/promises.ts'
import { AddressWatch } from './address-watch.ts'
import { Freezes } from './freezes.ts'
import type { FaultKind } from './kinds.ts'
import { HUB, Network } from './network.ts'
import { Relay } from './relay.ts'
import { VmWatch } from './vm-watch.ts'

export const HOSTS = ['n1', 'n2', 'n3'] as const
/** The second one fails over with its second crash, the others restart where they stand. */
export const WITNESSES = ['steady', 'failing', 'third'] as const
const SCRIPTED = 'scripted'
const GUEST = 'guest'
/** A group of one address, which has no process that could be killed. */
const ADDRESS = 'address'
const ADDRESS_AT = '10.77.0.200/24'
const WRITE_MS = 100
const RELAY_PORT = 7_000
const FOLDER_SIZE = 'size=64m'
const ENDLESS = { attempts: 1_000, periodMs: 1, delayMs: 0 }
const NEVER_TOO_OFTEN = { failoverThreshold: 1_000, failoverPeriodMs: 1 }

export interface Scene {
  readonly demo: Demo
  readonly network: Network
  readonly relays: ReadonlyMap<string, Relay>
  readonly promises: Promises
  readonly script: DaemonScript
  readonly freezes: Freezes
  readonly vm: VmWatch | null
  readonly address: AddressWatch
  /** Faults that this machine cannot have, and why. */
  readonly missing: ReadonlyMap<FaultKind, string>
  /** Groups that are wanted online on exactly one host. */
  readonly groups: readonly string[]
  /** Hosts that are switched off just now: one fault at a time does that to a host. */
  readonly down: Set<DemoHost>
  setClock(host: DemoHost, offsetSeconds: number): void
}

export async function openScene(folder: string): Promise<Scene> {
  const network = new Network(HOSTS)
  const relays = new Map<string, Relay>()
  for (const [i, host] of HOSTS.entries()) {
    relays.set(host, await Relay.listen(HUB, RELAY_PORT + i))
    for (const part of ['state', 'run']) mountFolder(join(folder, 'hosts', host, part))
  }
  const clockLibrary = faketime()
  const clock = (host: string) => join(folder, 'hosts', host, 'clock')
  for (const host of HOSTS) writeFileSync(clock(host), '+0\n')
  const demo = await Demo.start({
    folder,
    port: 0,
    profile: 'test',
    ownBoot: true,
    policy: {
      script: { commands: [`${folder}/scripts/*`] },
      'ip-address': { networks: [ADDRESS_AT.replace('/24', '')] },
    },
    hostOptions(name, control) {
      const relay = relays.get(name) as Relay
      relay.target = { host: '127.0.0.1', port: control.port }
      const index = HOSTS.indexOf(name as (typeof HOSTS)[number])
      return {
        enter: network.enter(name),
        controlUrl: `http://${HUB}:${RELAY_PORT + index}`,
        ...(clockLibrary && { env: clockEnvironment(clockLibrary, clock(name)) }),
      }
    },
  })
  writeFileSync(join(folder, 'nodes'), demo.hosts.map((host) => `${host.nodeId}\n`).join(''))
  const missing = new Map<FaultKind, string>()
  if (!clockLibrary) missing.set('clockJump', 'libfaketime is not installed')
  if (demo.vmMissing !== null)
    for (const kind of ['killVm', 'freezeVm'] as const) missing.set(kind, demo.vmMissing)
  const freezes = new Freezes(demo)
  const script = daemonScript(join(folder, 'scripts'), SCRIPTED)
  const groups = [...WITNESSES, SCRIPTED, ADDRESS, ...(demo.vmMissing === null ? [GUEST] : [])]
  const address = new AddressWatch(ADDRESS_AT, HOSTS, network, freezes)
  freezes.address = address
  const scene: Scene = {
    ...{ demo, network, relays, script, freezes, missing, groups },
    promises: new Promises(demo),
    address,
    vm: demo.vmMissing === null ? new VmWatch(demo, freezes) : null,
    down: new Set(),
    setClock(host, offsetSeconds) {
      const sign = offsetSeconds < 0 ? '' : '+'
      writeFileSync(`${clock(host.name)}.new`, `${sign}${offsetSeconds}\n`)
      renameSync(`${clock(host.name)}.new`, clock(host.name))
    },
  }
  await demo.allUp()
  await addGroups(scene)
  return scene
}

async function addGroups({ demo, promises, script, groups }: Scene): Promise<void> {
  for (const name of groups) await demo.addGroup(name, NEVER_TOO_OFTEN)
  for (const name of WITNESSES) {
    const restart = name === 'failing' ? { delayMs: 0, attempts: 1 } : ENDLESS
    await demo.addWitness(name, name, restart, WRITE_MS)
  }
  await addScript(demo, SCRIPTED, SCRIPTED, script, { restart: ENDLESS })
  await demo.api('createResource', {
    params: { cluster: CLUSTER },
    body: {
      ...{ name: ADDRESS, group: ADDRESS, type: 'ip-address', restart: ENDLESS },
      // Nobody else is there, and arping is not on every machine.
      properties: { address: ADDRESS_AT, device: 'eth0', duplicateCheck: false, announce: 0 },
      poll: { isAliveMs: 1_000 },
    },
  })
  if (groups.includes(GUEST)) await demo.addVm(GUEST, GUEST, ENDLESS)
  for (const name of groups) await promises.want(name, 1)
  for (const name of groups) await demo.online(name)
  await demo.addGroup(SETTINGS)
  await demo.addProcess(SETTINGS, SETTINGS, [], { persistentState: 0 })
}

/** A disk of its own, small enough to be filled; it goes with the mount namespace. */
function mountFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const options = `mode=700,${FOLDER_SIZE}`
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path])
  if (done.status !== 0) throw new Error(`mount ${path}: ${done.stderr}`)
}

function faketime(): string | null {
  for (const folder of existsSync('/usr/lib') ? readdirSync('/usr/lib') : []) {
    const path = join('/usr/lib', folder, 'faketime/libfaketimeMT.so.1')
    if (existsSync(path)) return path
  }
  return null
}

/** The wall clock alone: what counts since boot is left as it is. */
const clockEnvironment = (library: string, file: string) => ({
  LD_PRELOAD: library,
  FAKETIME_TIMESTAMP_FILE: file,
  FAKETIME_NO_CACHE: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
  NO_FAKE_STAT: '1',
})

export const askMove = (demo: Demo, group: string) =>
  // Refused while another fault is at work: that is an answer too.
  demo.api('moveGroup', { params: { cluster: CLUSTER, group }, body: {} }).catch(() => null)
