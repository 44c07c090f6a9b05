import { readFileSync, statSync } from 'node:fs'
import { normalize } from 'node:path'
import { allows, type HostPolicy, hostPolicy } from '../../schema/host-policy.ts'
import type { ChildSpec } from '../../schema/workload.ts'

/** A missing policy allows nothing; one that others may write is not the host's own. */
export function readPolicy(file: string): HostPolicy {
  try {
    if ((statSync(file).mode & 0o022) !== 0) {
      complain('policy', `${file} can be written by others than its owner: it is not used`)
      return {}
    }
    return hostPolicy.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    complain('policy', `${file} cannot be used, so nothing may run here: ${error}`)
    return {}
  }
}

/**
 * The host's own policy, checked by the one who starts. The control plane cannot override it.
 *
 * @param type resource type, whose section of the policy counts
 */
export function forbids(policy: HostPolicy, type: string, spec: ChildSpec): string | null {
  const section =
    type === 'script' ? policy.script : type === 'process' ? policy.process : undefined
  // A path that leads out of an allowed folder by ".." is not below it.
  const plain = normalize(spec.command) === spec.command
  if (!section || !plain || !allows(section.commands, spec.command))
    return `hostPolicy: this host's policy does not allow ${spec.command}`
  const { uid, gid } = spec
  const own = uid === undefined || uid === process.getuid?.()
  if (!own && !(section.users ?? []).some((user) => accountOf(user)?.uid === uid))
    return 'hostPolicy: this host’s policy does not allow another user'
  // The group that comes with the user, and no other.
  const groups = [process.getgid?.(), ...(section.users ?? []).map((u) => accountOf(u)?.gid)]
  if (gid !== undefined && !groups.includes(gid))
    return 'hostPolicy: this host’s policy does not allow another group'
  return null
}

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
