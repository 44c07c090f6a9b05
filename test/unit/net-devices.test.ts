/** Addresses are compared in the one form that the kernel writes. */
import { expect, test } from 'vitest'
import { canonical, type Devices, deviceFor, deviceOf } from '../../probe/os/net-devices.ts'
import { ipAddressProperties } from '../../schema/resource-types/ip-address.ts'

const info = (cidr: string) => {
  const [address = ''] = cidr.split('/')
  const family = address.includes(':') ? ('IPv6' as const) : ('IPv4' as const)
  return { address, cidr, family, netmask: '', mac: '', internal: false, scopeid: 0 }
}
const DEVICES = {
  eth0: [info('192.0.2.1/24'), info('fd00::1/64')],
  eth1: [info('198.51.100.1/25'), info('198.51.100.9/25')],
} as Devices

test.each([
  ['192.0.2.9/24', '192.0.2.9/24'],
  ['FD00:0:0:0:0:0:0:9/064', 'fd00::9/64'],
  ['::ffff:1.2.3.4/128', '::ffff:102:304/128'],
])('%s is %s', (given, written) => expect(canonical(given)).toBe(written))

test('where an address is, and where it belongs', () => {
  expect(deviceOf(DEVICES, '198.51.100.9/25')).toBe('eth1')
  expect(deviceOf(DEVICES, '198.51.100.9/24')).toBeNull()
  expect(deviceFor(DEVICES, '192.0.2.77/24')).toBe('eth0')
  expect(deviceFor(DEVICES, 'FD00::77/64')).toBe('eth0')
  expect(deviceFor(DEVICES, '203.0.113.1/24')).toBeNull()
  // By itself it does not say where it belongs.
  expect(deviceFor({ eth0: [info('192.0.2.9/24')] } as Devices, '192.0.2.9/24')).toBeNull()
})

test.each([
  '192.0.2.9',
  '192.0.2.999/24',
  '192.0.2.9/33',
  'fd00::g/64',
  'fd00::1/129',
  'x/24',
  '1.2.3.4/24; rm',
])('%s is no address with a prefix length', (address) =>
  expect(ipAddressProperties.safeParse({ address }).success).toBe(false),
)
