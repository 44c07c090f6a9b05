import * as z from 'zod'

const absolute = (what: string) =>
  z
    .string()
    .regex(/^\/(?!.*(?:^|\/)\.\.?(?:\/|$))/, `${what}: an absolute path without "." and ".."`)
    .max(4_096)

/** Properties of resource type `file-system`: one mount. */
export const fileSystemProperties = z.strictObject({
  source: z
    .string()
    .regex(/^(?:\/(?!.*(?:^|\/)\.\.?(?:\/|$)).*|[A-Za-z0-9][A-Za-z0-9._:[\]-]*:\/.*|tmpfs)$/, {
      error: 'a device or folder by absolute path, HOST:/PATH, or tmpfs',
    })
    .max(4_096)
    .describe('Device, folder (with option `bind`), `HOST:/PATH`, or `tmpfs`. By host policy.'),
  target: absolute('target').describe('Mount point: an empty folder. By host policy.'),
  fsType: z
    .string()
    .regex(/^[a-z0-9._]{1,32}$/)
    .optional()
    .describe('Type, such as `ext4`; absent: `mount` finds out.'),
  options: z
    .array(z.string().regex(/^[A-Za-z0-9_.:/=@%+-]{1,256}$/))
    .max(100)
    .default([])
    .describe('Mount options, one each, such as `noatime`.'),
  fsck: z
    .enum(['no', 'preen', 'repair'])
    .default('no')
    .describe('Before the mount: `fsck -p` (only what is safe), or `fsck -y` (whatever it takes).'),
  holders: z
    .enum(['end', 'wait'])
    .default('end')
    .describe('Offline: processes that keep it busy are ended, or waited for. A lapse ends them.'),
  stopTimeoutMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(5_000)
    .describe('How long those that keep it busy get, from SIGTERM to SIGKILL.'),
  checkMs: z
    .int()
    .min(100)
    .max(600_000)
    .default(10_000)
    .describe('LooksAlive: how long one look at its contents may take.'),
})
export type FileSystemProperties = z.infer<typeof fileSystemProperties>
