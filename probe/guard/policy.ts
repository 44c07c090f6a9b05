import { readFileSync, statSync } from 'node:fs'
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

/** The host's own policy, checked by the one who starts. The control plane cannot override it. */
export function forbids(policy: HostPolicy, spec: ChildSpec): string | null {
  if (!policy.process || !allows(policy.process.commands, spec.command))
    return `hostPolicy: this host's policy does not allow ${spec.command}`
  if (spec.uid !== undefined && spec.uid !== process.getuid?.() && !policy.process.users)
    return 'hostPolicy: this host’s policy does not allow another user'
  return null
}

export function complain(who: string, what: string): void {
  process.stderr.write(`holdfast guard: ${who}: ${what.slice(0, 500)}\n`)
}
