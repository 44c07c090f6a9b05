import { readFileSync } from 'node:fs'
import { normalize } from 'node:path'
import { allows, type HostPolicy } from '../../schema/host-policy.ts'
import type { ChildSpec } from '../../schema/workload.ts'
import { allowsAddress, allowsMount, ocfAgentName } from '../os/allowed.ts'
import { addressStart, mountOf } from '../os/kernel-starts.ts'
import { readPins } from '../os/module-pins.ts'
import { readPolicyFile } from '../os/policy-file.ts'
import { unitMark, unitStart } from '../os/unit-starts.ts'

/** A missing policy allows nothing, and so does one that is not the host's own or not understood. */
export async function readPolicy(file: string): Promise<HostPolicy> {
  try {
    return await readPolicyFile(file)
  } catch (error) {
    complain('policy', `nothing may run here: ${(error as Error).message}`)
    return {}
  }
}

/** Pins that cannot be read pin nothing: a module that nobody vouches for is not loaded (S-56). */
export function pinsOrNone(stateFolder: string): ReturnType<typeof readPins> {
  try {
    return readPins(stateFolder)
  } catch (error) {
    complain('modules', `none of the host's own is loaded: ${error}`)
    return []
  }
}

/**
 * The host's own policy, checked by the one who starts. The control plane cannot override it.
 *
 * @param type resource type, whose section of the policy counts
 */
export function forbids(policy: HostPolicy, type: string, spec: ChildSpec): string | null {
  switch (type) {
    case 'process':
      return forbidsProgram(policy.process, spec)
    case 'script':
      return forbidsProgram(policy.script, spec)
    case 'ocf':
      return forbidsAgent(policy.ocf, spec)
    case 'ip-address':
      return forbidsAddress(policy['ip-address'], spec)
    case 'file-system':
      return forbidsMount(policy['file-system'], spec)
    case 'systemd-unit':
      return forbidsUnit(policy['systemd-unit'], spec)
    default:
      return forbidsProgram(policy.modules?.[type], spec)
  }
}

const no = (what: string) => `hostPolicy: this host's policy does not allow ${what}`

function forbidsProgram(section: HostPolicy['process'], spec: ChildSpec): string | null {
  // A path that leads out of an allowed folder by ".." is not below it.
  const plain = normalize(spec.command) === spec.command
  if (!section || !plain || !allows(section.commands, spec.command)) return no(spec.command)
  // What undoes it would be a second program, which nobody has allowed.
  if (spec.undo) return no(`${spec.command} with an end of its own`)
  const { uid, gid } = spec
  const own = uid === undefined || uid === process.getuid?.()
  if (!own && !(section.users ?? []).some((user) => accountOf(user)?.uid === uid))
    return no('another user')
  // The group that comes with the user, and no other.
  const groups = [process.getgid?.(), ...(section.users ?? []).map((u) => accountOf(u)?.gid)]
  return gid !== undefined && !groups.includes(gid) ? no('another group') : null
}

/** The agent itself, to start and, as what undoes that, to stop. */
function forbidsAgent(section: HostPolicy['ocf'], spec: ChildSpec): string | null {
  const { command, args, undo, uid, gid } = spec
  const name = ocfAgentName(command, section)
  if (!section || name === null || !allows(section.agents, name)) return no(name ?? command)
  const starts = args.length === 1 && args[0] === 'start'
  const stops = undo?.kind === 'command' && undo.command === command && undo.args[0] === 'stop'
  const asItself = uid === undefined && gid === undefined
  return starts && stops && asItself ? null : no(`${name} but to start and to stop it`)
}

function forbidsAddress(section: HostPolicy['ip-address'], spec: ChildSpec): string | null {
  const { undo } = spec
  if (undo?.kind !== 'address') return no(spec.command)
  if (!section || !allowsAddress(section, undo)) return no(`${undo.address} on ${undo.device}`)
  return isSame(spec, addressStart(undo.address, undo.device)) ? null : no(spec.command)
}

function forbidsMount(section: HostPolicy['file-system'], spec: ChildSpec): string | null {
  const mount = mountOf(spec)
  if (!mount || spec.undo?.kind !== 'mount' || spec.undo.target !== mount.target)
    return no(spec.command)
  const allowed = section && allowsMount(section, mount)
  return allowed ? null : no(`${mount.source} on ${mount.target}`)
}

/** Only to ask systemd for it, with its end by this guard on record. */
function forbidsUnit(section: HostPolicy['systemd-unit'], spec: ChildSpec): string | null {
  const { undo, uid, gid } = spec
  if (!section || undo?.kind !== 'unit') return no(spec.command)
  const { unit, cgroup, mark } = undo
  if (!allows(section.units, unit)) return no(`unit ${unit}`)
  const own = cgroup.endsWith(`/${unit}`) && mark === unitMark(section, unit)
  const asItself = uid === undefined && gid === undefined
  return own && asItself && isSame(spec, unitStart(section, unit)) ? null : no(spec.command)
}

const isSame = (a: Pick<ChildSpec, 'command' | 'args'>, b: Pick<ChildSpec, 'command' | 'args'>) =>
  a.command === b.command && a.args.join('\0') === b.args.join('\0')

function accountOf(user: string): { uid: number; gid: number } | null {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((text) => text.split(':'))
    .find((fields) => fields[0] === user)
  return line ? { uid: Number(line[2]), gid: Number(line[3]) } : null
}

export function complain(who: string, what: string): void {
  process.stderr.write(`holdfast guard: ${who}: ${what.slice(0, 500)}\n`)
}
