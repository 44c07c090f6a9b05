/** Addresses and devices of this host, as the kernel has them. */
import { readFileSync } from 'node:fs'
import { BlockList, isIPv4 } from 'node:net'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'

/** In the one form that the kernel writes: lower case, shortest. */
export function canonical(address: string): string {
  const [ip = '', prefix] = address.split('/')
  const plain = isIPv4(ip) ? ip : new URL(`http://[${ip}]`).hostname.slice(1, -1)
  return prefix === undefined ? plain : `${plain}/${Number(prefix)}`
}

/** Devices that are up, with their addresses. One that is down, or without a carrier, is missing. */
export type Devices = NodeJS.Dict<NetworkInterfaceInfo[]>

export const devicesUp = (): Devices => networkInterfaces()

/** Which device has this address, or null. */
export function deviceOf(devices: Devices, address: string): string | null {
  const wanted = canonical(address)
  const has = (infos: NetworkInterfaceInfo[] = []) => infos.some((info) => info.cidr === wanted)
  return Object.keys(devices).find((name) => has(devices[name])) ?? null
}

/** A device that has another address of the same network, or null. */
export function deviceFor(devices: Devices, address: string): string | null {
  const wanted = canonical(address)
  const [ip = '', prefix] = wanted.split('/')
  const family = isIPv4(ip) ? 'ipv4' : 'ipv6'
  const network = new BlockList()
  network.addSubnet(ip, Number(prefix), family)
  const fits = (info: NetworkInterfaceInfo) =>
    info.family.toLowerCase() === family &&
    info.cidr !== wanted &&
    network.check(info.address, family)
  return Object.keys(devices).find((name) => devices[name]?.some(fits)) ?? null
}

/** Why nothing can be reached by this device, or null. */
export function deviceProblem(device: string): string | null {
  const read = (name: string) => {
    try {
      return readFileSync(`/sys/class/net/${device}/${name}`, 'latin1').trim()
    } catch {
      return null
    }
  }
  const flags = read('flags')
  if (flags === null) return `there is no device ${device} on this host`
  if ((Number(flags) & 1) === 0) return `device ${device} is down`
  return read('carrier') === '0' ? `device ${device} has no carrier` : null
}
