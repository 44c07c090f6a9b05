import type { HostPolicy } from '../../schema/host-policy.ts'

const SHOWN = 20
const TEXT_MAX = 500

/** What the policy of this host allows of a type, for whoever wonders where something may run. */
export function allowsText(policy: HostPolicy, type: string): string {
  return textOf(policy, type).slice(0, TEXT_MAX)
}

function textOf(policy: HostPolicy, type: string): string {
  switch (type) {
    case 'process':
      return programs(policy.process)
    case 'script':
      return programs(policy.script)
    case 'ocf':
      return list(policy.ocf?.agents)
    case 'ip-address': {
      const { networks, devices } = policy['ip-address'] ?? {}
      return list(networks) + (devices ? ` on ${list(devices)}` : '')
    }
    case 'file-system': {
      const { sources, targets } = policy['file-system'] ?? {}
      return `${list(sources)} on ${list(targets)}`
    }
    case 'systemd-unit':
      return list(policy['systemd-unit']?.units)
    case 'virtual-machine': {
      const { domains, paths } = policy['virtual-machine'] ?? {}
      return `domains ${list(domains)}${paths ? ` with ${list(paths)}` : ''}`
    }
    case 'http-endpoint':
    case 'tcp-endpoint':
      return policy.endpoints ? list(policy.endpoints.hosts) : 'this host itself'
    default:
      return programs(policy.modules?.[type])
  }
}

function programs(section: HostPolicy['process']): string {
  const users = section?.users?.length ? ` as ${list(section.users)}` : ''
  return list(section?.commands) + users
}

function list(patterns: readonly string[] = []): string {
  if (patterns.length === 0) return 'nothing'
  const more = patterns.length > SHOWN ? ` and ${patterns.length - SHOWN} more` : ''
  return patterns.slice(0, SHOWN).join(', ') + more
}
