/**
 * Every type that comes with the probe keeps the contract that `module certify` tries, with the real
 * thing: programs, OCF agents, addresses, mounts, servers, virtual machines (S-36 to S-50).
 */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tinyDomainXml } from '../../../demo/vm/domain.ts'
import { CONTRACT, runContract } from '../../../probe/certify/contract.ts'
import { type Bench, Sandbox } from '../../../probe/certify/sandbox.ts'
import type { Subject } from '../../../probe/certify/trial.ts'
import { forbids } from '../../../probe/guard/policy.ts'
import { LibvirtClient } from '../../../probe/libvirt/client.ts'
import { loadModules } from '../../../probe/resources/index.ts'
import { createVirtualMachine } from '../../../probe/resources/virtual-machine.ts'
import type { HostPolicy } from '../../../schema/host-policy.ts'
import type { ResourceModule } from '../../../schema/resource-type.ts'
import { RESOURCE_TYPES } from '../../../schema/resource-types/index.ts'
import { callOf, EMULATOR, endTestHost, missing, startTestHost, tinyVm } from '../libvirt/hosts.ts'
import { missing as missingBus, SystemdHost } from '../systemd/host.ts'

let folder: string
const tried = new Set<string>()
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-contract-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Given {
  readonly policy: HostPolicy
  readonly properties: Record<string, unknown>
  readonly others?: Subject['others']
  /** Of what lasts without processes: whether it is there, and how it is lost. */
  readonly thing?: {
    readonly there: () => boolean
    readonly lose: () => void
    /** The kernel tells of its loss. */
    readonly watched?: true
  }
}

/** @returns what the checks say, by id */
async function contractOf(type: string, { policy, properties, others, thing }: Given) {
  const module = loadModules(policy, folder).get(type) as ResourceModule
  const parts = { module, properties, folder: join(folder, type), owner: randomUUID() }
  const log = () => {}
  const sandbox = new Sandbox({ ...parts, forbids: (spec) => forbids(policy, type, spec), log })
  const bench: Bench = thing
    ? {
        call: (of) => sandbox.call(of),
        runs: (guid) => [...sandbox.runs(guid), ...(thing.there() ? [0] : [])],
        strays: () => sandbox.strays(),
        breakIt: async () => thing.lose(),
      }
    : sandbox
  try {
    const unwatched = thing && !thing.watched && { unwatched: 'nothing of it is a process' }
    const given = { ...(others && { others }), ...unwatched }
    return await judged({ module, properties, bench, timeoutMs: 20_000, ...given })
  } finally {
    await sandbox.end()
  }
}

async function judged(subject: Subject) {
  tried.add(subject.module.type)
  const verdicts = await runContract(subject)
  expect(verdicts).toHaveLength(CONTRACT.length)
  expect(verdicts.filter((v) => v.verdict === 'broken')).toEqual([])
  return Object.fromEntries(verdicts.map((v) => [v.id, v.verdict]))
}

/** What is behind an endpoint, here and gone. */
async function serverOf(port: { n: number }): Promise<NonNullable<Subject['others']>> {
  let server: Server | null = null
  return {
    up: () =>
      new Promise((resolve) => {
        if (server) return resolve()
        const listening = createServer((_, response) => response.end('well'))
        server = listening
        listening.listen(port.n, '127.0.0.1', () => {
          port.n = (listening.address() as AddressInfo).port
          resolve()
        })
      }),
    down: () =>
      new Promise((resolve) => {
        if (!server) return resolve()
        server.close(() => resolve())
        server.closeAllConnections()
        server = null
      }),
  }
}

test('process', async () => {
  const verdicts = await contractOf('process', {
    policy: { process: { commands: ['/bin/sleep'] } },
    properties: { command: '/bin/sleep', args: ['1000'] },
  })
  expect(verdicts).toMatchObject({ watch: 'kept', offline: 'kept', terminate: 'kept' })
})

test('script', async () => {
  const command = join(folder, 'daemon.sh')
  writeFileSync(
    command,
    `#!/bin/sh
case "$1" in
  online) setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! > ${folder}/daemon.pid; exit 0 ;;
  offline) kill $(cat ${folder}/daemon.pid) 2>/dev/null; exit 0 ;;
  isAlive) kill -0 "$(cat ${folder}/daemon.pid 2>/dev/null)" 2>/dev/null || exit 7 ;;
esac
`,
  )
  chmodSync(command, 0o755)
  await contractOf('script', {
    policy: { script: { commands: [command] } },
    properties: { command },
  })
})

const DUMMY = '/usr/lib/ocf/resource.d/heartbeat/Dummy'
const missingAgents = existsSync(DUMMY) ? null : `missing: ${DUMMY}`
test.skipIf(missingAgents !== null)('ocf: the agent Dummy', async () => {
  const state = join(folder, 'Dummy.state')
  const verdicts = await contractOf('ocf', {
    policy: { ocf: { agents: ['ocf:heartbeat:Dummy'] } },
    properties: { agent: 'ocf:heartbeat:Dummy', parameters: { state } },
    thing: { there: () => existsSync(state), lose: () => rmSync(state, { force: true }) },
  })
  expect(verdicts).toMatchObject({ offline: 'kept', terminate: 'kept' })
})

const DEVICE = 'hf-contract'
const ADD = ['link', 'add', DEVICE, 'type', 'veth', 'peer', 'name', `${DEVICE}2`]
const missingDevices = cannot(['ip', ...ADD], ['ip', 'link', 'del', DEVICE])
test.skipIf(missingDevices !== null)('ip-address', async () => {
  execFileSync('ip', ADD)
  try {
    for (const one of [DEVICE, `${DEVICE}2`]) execFileSync('ip', ['link', 'set', one, 'up'])
    const address = '198.51.100.7/32'
    const there = () =>
      execFileSync('ip', ['address', 'show', 'dev', DEVICE], { encoding: 'utf8' }).includes(address)
    await contractOf('ip-address', {
      policy: { 'ip-address': { networks: ['198.51.100.0/24'] } },
      properties: { address, device: DEVICE, duplicateCheck: false, announce: 0 },
      thing: {
        there,
        watched: true,
        lose: () => execFileSync('ip', ['address', 'del', address, 'dev', DEVICE]),
      },
    })
  } finally {
    execFileSync('ip', ['link', 'del', DEVICE])
  }
})

const missingMounts = cannot(
  ['mount', '-t', 'tmpfs', 'tmpfs', mkdtempSync(join(tmpdir(), 'holdfast-mount-'))],
  [],
)
test.skipIf(missingMounts !== null)('file-system', async () => {
  const target = join(folder, 'mnt')
  mkdirSync(target)
  await contractOf('file-system', {
    policy: { 'file-system': { sources: ['tmpfs'], targets: [target] } },
    properties: { source: 'tmpfs', target },
    thing: {
      there: () => readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${target} `),
      watched: true,
      lose: () => execFileSync('umount', [target]),
    },
  })
})

/** Whether this host does it: done, and undone. */
function cannot(does: string[], undoes: string[]): string | null {
  const run = ([file = '', ...args]: string[]) => execFileSync(file, args, { stdio: 'pipe' })
  try {
    run(does)
    run(undoes.length > 0 ? undoes : ['umount', does.at(-1) as string])
    return null
  } catch (error) {
    return `missing: ${does.slice(0, 2).join(' ')}: ${(error as Error).message.slice(0, 200)}`
  }
}

test.skipIf(missingBus !== null)(
  'systemd-unit: by a double of systemd, on a real bus',
  async () => {
    const host = await SystemdHost.start()
    try {
      const unit = 'contract.service'
      await host.define(unit, { exec: 'exec sleep 1000' })
      const verdicts = await contractOf('systemd-unit', {
        policy: { 'systemd-unit': host.section([unit]) },
        properties: { unit },
        thing: {
          there: () => host.pids(unit).length > 0,
          lose: () => {
            for (const pid of host.pids(unit)) process.kill(pid, 'SIGKILL')
          },
        },
      })
      expect(verdicts).toMatchObject({ offline: 'kept', terminate: 'kept', close: 'kept' })
    } finally {
      await host.end()
    }
  },
)

describe('endpoints start nothing; they see what others start', () => {
  const ends = { online: 'kept', 'failure-seen': 'kept' }

  test('http-endpoint', async () => {
    const port = { n: 0 }
    const others = await serverOf(port)
    await others.up()
    const properties = { url: `http://127.0.0.1:${port.n}/` }
    expect(await contractOf('http-endpoint', { policy: {}, properties, others })).toMatchObject(
      ends,
    )
    await others.down()
  })

  test('tcp-endpoint', async () => {
    const port = { n: 0 }
    const others = await serverOf(port)
    await others.up()
    const properties = { host: '127.0.0.1', port: port.n }
    expect(await contractOf('tcp-endpoint', { policy: {}, properties, others })).toMatchObject(ends)
    await others.down()
  })
})

test.skipIf(missing !== null)(
  'virtual-machine: a real one, by libvirt and QEMU',
  async () => {
    const host = await startTestHost()
    const admin = new LibvirtClient(host.socket)
    try {
      // libvirt probes a new emulator once; no check should pay for it.
      await admin.define(tinyVm(host, 'first').xml.replace(EMULATOR, host.gate))
      const vm = tinyVm(host, 'contract')
      const socket = { socket: host.socket, gate: host.gate, paths: ['/*'] }
      const module = createVirtualMachine({ ...socket, hostStopping: async () => false })
      const xmlOf = (name: string, uuid: string) => tinyDomainXml({ ...vm, name, uuid })
      let own = ''
      const bench: Bench = {
        call({ guid, persistentState, signal }) {
          own ||= guid
          const name = guid === own ? 'contract' : `other-${guid.slice(0, 8)}`
          const one = { ...vm, guid, name, xml: xmlOf(name, guid) }
          return { ...callOf(host, one, { persistentState }), ...(signal && { signal }) }
        },
        runs: () => [
          ...(host.emulators().get('contract') ? [host.emulators().get('contract') as number] : []),
        ],
        strays: () => [],
        breakIt: async () => {
          process.kill(host.emulators().get('contract') as number, 'SIGKILL')
        },
      }
      const properties = { domain: 'contract', xml: xmlOf('contract', randomUUID()) }
      const subject = { module: module as ResourceModule, properties, bench, timeoutMs: 20_000 }
      expect(await judged(subject)).toMatchObject({ watch: 'kept', offline: 'kept', close: 'kept' })
    } finally {
      admin.close()
      await endTestHost(host)
    }
  },
  120_000,
)

test('no type is left out', () => {
  const skipped = [
    ...(missingAgents ? ['ocf'] : []),
    ...(missingDevices ? ['ip-address'] : []),
    ...(missingMounts ? ['file-system'] : []),
    ...(missingBus ? ['systemd-unit'] : []),
    ...(missing ? ['virtual-machine'] : []),
  ]
  expect([...tried, ...skipped].sort()).toEqual([...RESOURCE_TYPES.keys()].sort())
})
