/** Settings of a virtual machine, as its management extension reads them and takes changes of them. */
import * as z from 'zod'

/** 16 TiB. */
const sizeMib = z.int().min(1).max(16_777_216)
const count = z.int().min(1).max(4_096)
const word = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
  .max(64)
const device = z.enum(['disk', 'cdrom', 'floppy', 'lun'])
const bus = z.enum(['virtio', 'scsi', 'sata', 'ide', 'usb', 'fdc'])
const format = z.enum(['raw', 'qcow2', 'qed', 'vmdk', 'vdi', 'vpc', 'vhdx'])
const topology = z.strictObject({
  sockets: count,
  dies: count.default(1),
  cores: count,
  threads: count,
})
const path = z
  .string()
  .max(1_024)
  .regex(/^\/[^\p{Cc}]*$/u, 'it has to be an absolute path')
/** Name of the disk in its guest. */
export const diskTarget = z.string().regex(/^(?:vd|sd|hd|xvd|fd)[a-z]{1,3}$/)
const mac = z
  .string()
  .regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i)
  .toLowerCase()
/** `net0` is the first one; or its address. */
export const interfaceName = z.string().regex(/^(?:net\d{1,3}|[0-9a-f]{2}(?::[0-9a-f]{2}){5})$/i)

const disk = z.object({
  device: z.string(),
  /** libvirt's word: file, block, network … */
  type: z.string(),
  /** Null: no medium. */
  source: z.string().nullable(),
  format: z.string().nullable(),
  bus: z.string().nullable(),
  readonly: z.boolean(),
})
const networkInterface = z.object({
  /** libvirt's word: network, bridge, direct, user … */
  type: z.string(),
  /** Name of the network, the bridge or the device of the host. */
  source: z.string().nullable(),
  /** Null: libvirt makes one up, another on every host. */
  mac: z.string().nullable(),
  model: z.string().nullable(),
})

/** Null is what the definition does not say: libvirt chooses. */
export const vmSettings = z.object({
  memoryMib: z.number(),
  /** What the guest is given of it (balloon). */
  currentMemoryMib: z.number().nullable(),
  /** Up to where memory may be plugged in. */
  maxMemoryMib: z.number().nullable(),
  cpus: z.number(),
  /** How many of them are plugged in at the start. */
  currentCpus: z.number().nullable(),
  topology: z
    .object({ sockets: z.number(), dies: z.number(), cores: z.number(), threads: z.number() })
    .nullable(),
  cpuMode: z.string().nullable(),
  cpuModel: z.string().nullable(),
  /** `loader`: a file that the definition names. */
  firmware: z.enum(['bios', 'efi', 'loader']),
  /** In this order: kinds (`hd`, `cdrom`, `network`, `fd`), or names of disks and interfaces. */
  boot: z.array(z.string()),
  disks: z.record(z.string(), disk),
  interfaces: z.record(z.string(), networkInterface),
})
export type VmSettings = z.infer<typeof vmSettings>
export type VmDisk = z.infer<typeof disk>
export type VmInterface = z.infer<typeof networkInterface>

const diskChange = z.strictObject({
  device: device.optional(),
  type: z.enum(['file', 'block']).optional(),
  source: path.nullable().optional(),
  format: format.optional(),
  bus: bus.optional(),
  readonly: z.boolean().optional(),
  /** Another name for it. */
  target: diskTarget.optional(),
})
export type DiskChange = z.infer<typeof diskChange>

const interfaceChange = z.strictObject({
  type: z.enum(['network', 'bridge', 'direct', 'user']).optional(),
  source: word.optional(),
  mac: mac.optional(),
  model: word.optional(),
})
export type InterfaceChange = z.infer<typeof interfaceChange>

/** Only what is named is changed. A disk or interface that there is none of is added; null removes it. */
export const vmChange = z.strictObject({
  memoryMib: sizeMib.optional(),
  currentMemoryMib: sizeMib.optional(),
  maxMemoryMib: sizeMib.nullable().optional(),
  cpus: count.optional(),
  currentCpus: count.optional(),
  topology: topology.nullable().optional(),
  cpuMode: z.enum(['host-passthrough', 'host-model', 'maximum', 'custom']).nullable().optional(),
  cpuModel: word.optional(),
  firmware: z.enum(['bios', 'efi']).optional(),
  boot: z.array(z.string().max(32)).min(1).max(32).optional(),
  disks: z.record(diskTarget, diskChange.nullable()).optional(),
  interfaces: z.record(interfaceName, interfaceChange.nullable()).optional(),
})
export type VmChange = z.infer<typeof vmChange>
