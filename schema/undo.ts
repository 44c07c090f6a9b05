/**
 * What ends that which outlives the processes of a start: an address on a device, a mount, whatever
 * an agent has set up. The guard has it on record before anything starts (G3, G9) and carries it out
 * by its own hand, as the last part of the stop procedure (G5): no module is needed for it, nor
 * waited for.
 */
import * as z from 'zod'

const path = z
  .string()
  .regex(/^\/(?!.*(?:^|\/)\.\.?(?:\/|$))/, 'an absolute path without "." and ".."')
  .max(4_096)

/** A service of systemd by its own name: not an alias, and not a template. */
export const unitName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9:_.\\@-]*\.service$/, 'the name of a service, with ".service"')
  .refine(
    (name) => !name.endsWith('@.service'),
    'a template: name an instance, NAME@INSTANCE.service',
  )
  .max(255)

export const undo = z.discriminatedUnion('kind', [
  /** Takes an address, with its prefix length, from a device. */
  z.strictObject({
    kind: z.literal('address'),
    address: z.string().regex(/^[0-9A-Fa-f.:]+\/[0-9]{1,3}$/),
    device: z.string().regex(/^[A-Za-z0-9_.@-]{1,15}$/),
  }),
  /** Ends what holds a mount, and the mount. */
  z.strictObject({ kind: z.literal('mount'), target: path }),
  /**
   * Takes back the permission that systemd looks at when it starts the unit (G4, mark), and kills what
   * is in its cgroup until nothing has come for longer than T_x (G5).
   */
  z.strictObject({
    kind: z.literal('unit'),
    unit: unitName,
    /** Of systemd's own making, below the mount of cgroup v2: slices, then the unit. */
    cgroup: z
      .string()
      .regex(/^(?:\/[A-Za-z0-9:_.\\@-]+\.slice)*\/[^/]+\.service$/)
      .max(4_096),
    /** The permission: a file that only the guard makes and removes. */
    mark: path,
  }),
  /** A program whose exit code 0 means that nothing is left; else it is called again. */
  z.strictObject({
    kind: z.literal('command'),
    command: path,
    args: z.array(z.string().max(32_768)).max(100),
    env: z.record(z.string().max(256), z.string().max(32_768)),
    timeoutMs: z.int().min(100).max(3_600_000),
  }),
])
export type Undo = z.infer<typeof undo>
