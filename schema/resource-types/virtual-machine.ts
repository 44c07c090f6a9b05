import * as z from 'zod'

/** Properties of resource type `virtual-machine`: one libvirt domain. */
export const virtualMachineProperties = z.strictObject({
  domain: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
    .max(64)
    .describe('Name of the libvirt domain. The host policy must allow it.'),
  xml: z
    .string()
    .max(64 * 1024)
    .describe('Domain XML. It travels in the hive: any eligible node can define it.'),
  shutdownTimeoutMs: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(60_000)
    .describe('How long the guest may take to shut down before it is killed.'),
  saveFolder: z
    .string()
    .startsWith('/')
    .max(1_024)
    .optional()
    .describe(
      'Folder that all hosts share. With it the virtual machine can be moved by saving its memory ' +
        'there (quick move). The host policy must allow it.',
    ),
  onGuestShutdown: z
    .enum(['stop', 'restart'])
    .default('stop')
    .describe('What a shutdown from inside the guest means.'),
})
export type VirtualMachineProperties = z.infer<typeof virtualMachineProperties>
