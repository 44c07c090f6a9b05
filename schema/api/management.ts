/** Bodies about the settings of a resource, by the management extension of its type. */
import * as z from 'zod'

const difference = z.object({
  /** Path of the setting, e.g. `disks.vda.source`. */
  field: z.string(),
  configured: z.json(),
  running: z.json(),
})
/** By this a change is made only if nobody made another one before. */
const version = z.string().max(32)

export const settingsView = z.object({
  resource: z.string(),
  type: z.string(),
  version,
  /** By the hive: what the next start uses. */
  settings: z.json(),
  /** What the module says of what runs now; null where nothing runs, or it is not seen. */
  running: z
    .object({
      node: z.string(),
      settings: z.json(),
      /** Where it is not as configured: so it is until the next start. */
      differences: z.array(difference),
    })
    .nullable(),
  /** Why what runs is not seen. */
  unseen: z.string().nullable(),
})
export type SettingsView = z.infer<typeof settingsView>

export const changeSettings = z.strictObject({
  /** What is to be other than it is; see the page of the type. */
  change: z.record(z.string().max(64), z.json()),
  /** Of the settings it was made from: refused if they have changed since. */
  version: version.optional(),
  /** Only says what would come of it. */
  dryRun: z.boolean().default(false),
})

export const settingsChanged = z.object({
  /** Of the update; null: nothing was written. */
  seq: z.int().nullable(),
  id: z.string(),
  /** False: they were so already, and nothing was written. */
  changed: z.boolean(),
  dryRun: z.boolean(),
  version,
  settings: z.json(),
  /**
   * `nextStart`: it runs, and goes on as it was started until the cluster starts it again; a reboot
   * inside the guest is no start. `now`: nothing has to be started again for it.
   */
  takesEffect: z.enum(['now', 'nextStart']),
  /** What was tried on what runs, by setting: null, it has it now; else why not. */
  live: z.record(z.string(), z.string().nullable()),
})
export type SettingsChanged = z.infer<typeof settingsChanged>
