/** Who else starts things here: the service manager, another guard, libvirt, other units. */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { allows, type HostPolicy } from '../../schema/host-policy.ts'
import { EMULATOR } from '../guard/gate-folder.ts'
import { lockName } from '../os/lock.ts'
import type { Check, Examined } from './checks.ts'
import { systemdRuns, UNIT_NAME, UNIT_PATH } from './unit.ts'

const LIBVIRT_SOCKET = '/run/libvirt/libvirt-sock'
const CONNECT_MS = 2_000
const UNIT_FOLDERS = ['etc/systemd/system', 'run/systemd/system', 'usr/lib/systemd/system']

/** G11: one identity, one guard. */
export function otherGuard({ state, run, guard }: Examined): Check {
  const name = 'guard'
  if (guard) return { name, state: 'ok', found: `runs, pid ${guard.guard.pid}` }
  const locked =
    existsSync(state) && readFileSync('/proc/net/unix', 'latin1').includes(`@${lockName(state)}`)
  if (!locked) return { name, state: 'info', found: 'does not run' }
  return {
    ...{ name, state: 'problem', found: `one runs on ${state} and does not answer on ${run}` },
    fix: 'Name its folder with --run; if it hangs: systemctl restart holdfast-probe',
  }
}

/** A6: a dead guard is replaced within T_gap. */
export function serviceManager({ root }: Examined): Check {
  const name = 'service manager'
  if (!systemdRuns(root))
    return {
      ...{
        name,
        state: 'warning',
        found: 'not systemd: what brings a dead guard back is not seen',
      },
      fix: 'Whatever runs "holdfast-probe run" must start it again at once (rule A6): holdfast-probe service install says how.',
    }
  const unit = readOr(join(root, UNIT_PATH))
  const wanted = join(root, 'etc/systemd/system/multi-user.target.wants', UNIT_NAME)
  if (unit !== null && /^Restart=always$/m.test(unit) && existsSync(wanted))
    return { name, state: 'ok', found: `${UNIT_NAME} is enabled and brings a dead guard back` }
  const found =
    unit === null
      ? `no ${UNIT_NAME}: a dead guard stays dead`
      : !existsSync(wanted)
        ? `${UNIT_NAME} is not enabled: it does not start at boot`
        : `${UNIT_NAME} has no Restart=always: a dead guard stays dead`
  return {
    ...{ name, state: 'warning', found: `${found} (rule A6)` },
    fix: 'holdfast-probe service install',
  }
}

export async function virtualMachines(
  { root, run, guard }: Examined,
  policy: HostPolicy,
): Promise<Check | null> {
  const section = policy['virtual-machine']
  if (!section) return null
  const name = 'virtual machines'
  const socket = section.socket ?? LIBVIRT_SOCKET
  const emulator = section.emulators?.[0] ?? EMULATOR
  if (!(await answers(socket)))
    return {
      ...{ name, state: 'problem', found: `libvirt does not answer on ${socket}` },
      fix: 'systemctl enable --now libvirtd',
    }
  if (!executable(emulator))
    return {
      ...{ name, state: 'problem', found: `no emulator ${emulator}` },
      fix: 'apt install qemu-system-x86, or name yours in the host policy (emulators).',
    }
  if (guard && childrenOf(join(run, 'gate')).length === 0)
    return {
      ...{ name, state: 'problem', found: 'the gate of virtual machines is not in place' },
      fix: 'systemctl restart holdfast-probe: it is made at the start of the guard.',
    }
  const auto = childrenOf(join(root, 'etc/libvirt/qemu/autostart'))
    .map((file) => file.replace(/\.xml$/, ''))
    .filter((domain) => allows(section.domains, domain))
  if (auto.length === 0) return { name, state: 'ok', found: `libvirt and ${emulator} are there` }
  return {
    ...{ name, state: 'warning', found: `libvirt starts ${auto.join(', ')} by itself (S-88)` },
    fix: `virsh autostart --disable ${auto[0]}`,
  }
}

/** S-88: other mechanisms that would start or restart what the cluster keeps. */
export function otherManagers({ root }: Examined, policy: HostPolicy): Check | null {
  const commands = [...(policy.process?.commands ?? []), ...(policy.script?.commands ?? [])]
  if (commands.length === 0 || !systemdRuns(root)) return null
  const name = 'other managers'
  const found = new Map<string, string>()
  for (const folder of UNIT_FOLDERS.map((one) => join(root, one)))
    for (const unit of childrenOf(folder)) {
      if (!unit.endsWith('.service') || unit === UNIT_NAME || found.has(unit)) continue
      const text = readOr(join(folder, unit)) ?? ''
      const command = /^ExecStart=[-@:+!|]*"?([^\s"]+)/m.exec(text)?.[1] ?? ''
      if (!allows(commands, command)) continue
      if (/^Restart=(?!no\s*$)/m.test(text)) found.set(unit, `restarts ${command}`)
      else if (enabled(root, unit)) found.set(unit, `starts ${command} at boot`)
    }
  if (found.size === 0)
    return { name, state: 'ok', found: 'no unit of systemd starts what the cluster may run' }
  const [unit] = found.keys()
  return {
    ...{ name, state: 'warning' },
    found: `${[...found].map(([one, what]) => `${one} ${what}`).join('; ')} (S-88)`,
    fix: `systemctl disable --now ${unit}`,
  }
}

function enabled(root: string, unit: string): boolean {
  const folder = join(root, 'etc/systemd/system')
  return childrenOf(folder).some(
    (one) => one.endsWith('.wants') && childrenOf(join(folder, one)).includes(unit),
  )
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const over = (yes: boolean) => {
      socket.destroy()
      resolve(yes)
    }
    socket.setTimeout(CONNECT_MS, () => over(false))
    socket.on('connect', () => over(true))
    socket.on('error', () => over(false))
  })
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function readOr(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

function childrenOf(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}
