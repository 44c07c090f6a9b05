/** What a section of the host policy allows, as guard and modules both read it. */
import { BlockList, isIPv4 } from 'node:net'
import { join, normalize } from 'node:path'
import { allows, type HostPolicy } from '../../schema/host-policy.ts'
import { OCF_AGENT } from '../../schema/resource-types/ocf.ts'

type Section<K extends keyof HostPolicy> = NonNullable<HostPolicy[K]>

/** @param address with its prefix length, which does not count here */
export function allowsAddress(
  { networks, devices }: Section<'ip-address'>,
  { address, device }: { address: string; device: string },
): boolean {
  if (devices !== undefined && !allows(devices, device)) return false
  const [ip = ''] = address.split('/')
  const family = isIPv4(ip) ? 'ipv4' : 'ipv6'
  return networks.some((network) => contains(network, ip, family))
}

function contains(network: string, ip: string, family: 'ipv4' | 'ipv6'): boolean {
  const [net = '', prefix] = network.split('/')
  if (isIPv4(net) !== (family === 'ipv4')) return false
  const list = new BlockList()
  try {
    list.addSubnet(
      net,
      prefix === undefined ? (family === 'ipv4' ? 32 : 128) : Number(prefix),
      family,
    )
    return list.check(ip, family)
  } catch {
    // No such network: a line of the policy that allows nothing.
    return false
  }
}

export function allowsMount(
  { sources, targets }: Section<'file-system'>,
  { source, target }: { source: string; target: string },
): boolean {
  const plain = !source.startsWith('/') || normalize(source) === source
  return (
    plain &&
    normalize(target) === target &&
    target !== '/' &&
    allows(sources, source) &&
    allows(targets, target)
  )
}

const OCF_ROOT = '/usr/lib/ocf'

export const ocfRoot = (section: HostPolicy['ocf']): string => section?.root ?? OCF_ROOT

/** Where an agent such as `ocf:heartbeat:Dummy` is, or null for what is no name of one. */
export function ocfAgentPath(agent: string, section: HostPolicy['ocf']): string | null {
  const [, provider, name] = OCF_AGENT.exec(agent) ?? []
  if (provider === undefined || name === undefined) return null
  return join(ocfRoot(section), 'resource.d', provider, name)
}

/** The other way round: `ocf:PROVIDER:NAME` of a path, or null where it is none. */
export function ocfAgentName(path: string, section: HostPolicy['ocf']): string | null {
  const folder = join(ocfRoot(section), 'resource.d/')
  if (!path.startsWith(folder)) return null
  const agent = `ocf:${path.slice(folder.length).replace('/', ':')}`
  return ocfAgentPath(agent, section) === path ? agent : null
}
