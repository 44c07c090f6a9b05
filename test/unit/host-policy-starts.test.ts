/** What a host's own policy allows to be started, checked by the guard, whatever RHS asks for. */
import { describe, expect, test } from 'vitest'
import { forbids } from '../../probe/guard/policy.ts'
import { allowsAddress, ocfAgentName, ocfAgentPath } from '../../probe/os/allowed.ts'
import { addressStart, mountOf, mountStart } from '../../probe/os/kernel-starts.ts'
import { toolPath } from '../../probe/os/tool-path.ts'
import { unitMark } from '../../probe/os/unit-starts.ts'
import type { HostPolicy } from '../../schema/host-policy.ts'
import type { Undo } from '../../schema/undo.ts'
import type { ChildSpec } from '../../schema/workload.ts'

const POLICY: HostPolicy = {
  process: { commands: ['/opt/app/*'] },
  script: { commands: ['/opt/scripts/*'] },
  ocf: { agents: ['ocf:heartbeat:Dummy', 'ocf:ours:*'] },
  'ip-address': { networks: ['192.0.2.0/24', '198.51.100.7', 'fd00::/64'], devices: ['eth*'] },
  'file-system': { sources: ['/dev/vg/*', 'tmpfs'], targets: ['/srv/*'] },
  'systemd-unit': { units: ['web-*', 'db.service'] },
}
const env = {}

function agent(command: string, over: Partial<ChildSpec> = {}): ChildSpec {
  const undo = { kind: 'command' as const, command, args: ['stop'], env, timeoutMs: 1_000 }
  return { command, args: ['start'], env, daemon: true, undo, ...over }
}

function address(at: string, device = 'eth0', over: Partial<ChildSpec> = {}): ChildSpec {
  const undo = { kind: 'address' as const, address: at, device }
  return { ...addressStart(at, device), env, daemon: true, undo, ...over }
}

function mount(source: string, target: string, over: Partial<ChildSpec> = {}): ChildSpec {
  const start = mountStart({ source, target, options: ['noatime'], fsck: 'no', fsType: 'ext4' })
  return { ...start, env, daemon: true, undo: { kind: 'mount', target }, ...over }
}

/** What `unitStart` asks for, on a host with or without systemd. */
function service(unit: string, over: Partial<Extract<Undo, { kind: 'unit' }>> = {}): ChildSpec {
  const cgroup = `/system.slice/${unit}`
  const mark = unitMark(POLICY['systemd-unit'] ?? { units: [] }, unit)
  const undo = { kind: 'unit' as const, unit, cgroup, mark, ...over }
  const bus = '--address=unix:path=/run/dbus/system_bus_socket'
  const manager =
    'org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager'
  const asks = `${bus} --timeout=5 --no-pager call ${manager} StartUnit ss ${unit} replace`
  const command = toolPath('busctl') ?? '/usr/bin/busctl'
  return { command, args: asks.split(' '), env, daemon: true, undo }
}

const missingBusctl = toolPath('busctl') === null ? 'missing: busctl (apt install systemd)' : null

const DUMMY = '/usr/lib/ocf/resource.d/heartbeat/Dummy'
const SHELL = { command: '/bin/sh', args: ['-c', 'true'] }

describe('allowed', () => {
  test.each<[string, ChildSpec]>([
    ['ocf', agent(DUMMY)],
    ['ocf', agent('/usr/lib/ocf/resource.d/ours/thing')],
    ['ip-address', address('192.0.2.9/24')],
    ['ip-address', address('198.51.100.7/32', 'eth1.5')],
    ['ip-address', address('fd00::9/64')],
    ['file-system', mount('/dev/vg/data', '/srv/data')],
    ['file-system', mount('tmpfs', '/srv/run')],
    ['process', { command: '/opt/app/run', args: [], env }],
  ])('%s: %o', (type, spec) => {
    expect(forbids(POLICY, type, spec)).toBeNull()
    // Without its section, nothing of a type is.
    expect(forbids({}, type, spec)).toMatch(/^hostPolicy: /)
  })
})

describe('forbidden', () => {
  test.each<[string, string, ChildSpec]>([
    ['another agent', 'ocf', agent('/usr/lib/ocf/resource.d/heartbeat/anything')],
    ['no agent', 'ocf', agent('/bin/sh')],
    ['out of the folder', 'ocf', agent('/usr/lib/ocf/resource.d/ours/../heartbeat/anything')],
    ['another action', 'ocf', agent(DUMMY, { args: ['promote'] })],
    ['without a stop', 'ocf', agent(DUMMY, { undo: undefined })],
    ['undone by something else', 'ocf', agent(DUMMY, { undo: agent('/bin/rm').undo })],
    ['as somebody else', 'ocf', agent(DUMMY, { uid: 1 })],
    ['another network', 'ip-address', address('203.0.113.1/24')],
    ['a network that only looks like it', 'ip-address', address('192.0.20.1/24')],
    ['another device', 'ip-address', address('192.0.2.9/24', 'wg0')],
    ['another command', 'ip-address', address('192.0.2.9/24', 'eth0', SHELL)],
    [
      'another address than is undone',
      'ip-address',
      address('192.0.2.9/24', 'eth0', addressStart('192.0.2.8/24', 'eth0')),
    ],
    ['another source', 'file-system', mount('/dev/sda1', '/srv/data')],
    ['another target', 'file-system', mount('/dev/vg/data', '/etc')],
    ['the root', 'file-system', mount('/dev/vg/data', '/')],
    ['out of the folder', 'file-system', mount('/dev/vg/data', '/srv/../etc')],
    ['another command', 'file-system', mount('/dev/vg/data', '/srv/data', SHELL)],
    [
      'undone elsewhere',
      'file-system',
      mount('/dev/vg/data', '/srv/data', { undo: { kind: 'mount', target: '/srv/other' } }),
    ],
    ['another unit', 'systemd-unit', service('ssh.service')],
    ['another cgroup', 'systemd-unit', service('db.service', { cgroup: '/init.service' })],
    ['another permission', 'systemd-unit', service('db.service', { mark: '/etc/passwd' })],
    [
      'undone as another',
      'systemd-unit',
      { ...service('db.service'), undo: service('web-1.service').undo },
    ],
    ['another command', 'systemd-unit', { ...service('db.service'), ...SHELL }],
    ['as somebody else', 'systemd-unit', { ...service('db.service'), uid: 1 }],
    ['with an end of its own', 'process', { ...agent('/opt/app/run'), args: [] }],
    ['with an end of its own', 'script', { ...agent('/opt/scripts/run'), args: [] }],
    ['a type that starts nothing', 'http-endpoint', { command: '/opt/app/run', args: [], env }],
  ])('%s: %s', (_, type, spec) => {
    expect(forbids(POLICY, type, spec)).toMatch(/^hostPolicy: /)
  })
})

test('a network of the policy that is none allows nothing', () => {
  const at = { address: '192.0.2.9/24', device: 'eth0' }
  for (const network of ['192.0.2.0/99', '1.2.3', '::/0'])
    expect(allowsAddress({ networks: [network] }, at)).toBe(false)
  expect(allowsAddress({ networks: ['0.0.0.0/0'] }, at)).toBe(true)
})

test('an agent and its path name each other', () => {
  const section = { agents: [], root: '/opt/ocf' }
  const path = ocfAgentPath('ocf:heartbeat:IPaddr2', section)
  expect(path).toBe('/opt/ocf/resource.d/heartbeat/IPaddr2')
  expect(ocfAgentName(path as string, section)).toBe('ocf:heartbeat:IPaddr2')
  for (const odd of [
    '/opt/ocf/resource.d/a',
    '/opt/ocf/resource.d/a/b/c',
    '/opt/ocf/resource.d/a/..',
    '/etc/x',
  ])
    expect(ocfAgentName(odd, section)).toBeNull()
})

test('a command of a mount says what it mounts where', () => {
  const ask = { source: '/dev/vg/a b', target: "/srv/it's", options: [], fsck: 'preen' as const }
  expect(mountOf(mountStart(ask))).toEqual({ source: ask.source, target: ask.target })
  expect(mountOf({ command: '/bin/sh', args: ['-c', 'true', 'x', '--', 'a', 'b'] })).toBeNull()
})

test.skipIf(missingBusctl !== null)('a unit that the policy names is started as it says', () => {
  for (const unit of ['web-1.service', 'db.service'])
    expect(forbids(POLICY, 'systemd-unit', service(unit))).toBeNull()
  expect(forbids({}, 'systemd-unit', service('db.service'))).toMatch(/^hostPolicy: /)
})
