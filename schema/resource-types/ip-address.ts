import * as z from 'zod'

/** Properties of resource type `ip-address`: one address on a device of the host. */
export const ipAddressProperties = z.strictObject({
  address: z
    .union([z.cidrv4(), z.cidrv6()], {
      error: 'an address with its prefix length, such as 192.0.2.10/24',
    })
    .describe('IPv4 or IPv6 address with its prefix length. The host policy must allow it.'),
  device: z
    .string()
    .regex(/^[A-Za-z0-9_.@-]{1,15}$/)
    .optional()
    .describe('Network device; absent: the one that has an address of the same network.'),
  duplicateCheck: z
    .boolean()
    .default(true)
    .describe('Ask before Online whether another host has the address: ARP, or the kernel’s own.'),
  announce: z
    .int()
    .min(0)
    .max(20)
    .default(3)
    .describe('How often neighbours are told of its new place: gratuitous ARP. IPv6: 0 is never.'),
})
export type IpAddressProperties = z.infer<typeof ipAddressProperties>
