import * as z from 'zod'
import type { Controls } from '../control.ts'

const nothing = z.strictObject({})

/** Control codes of the types that come with the probe. */
export const CONTROLS = {
  process: {
    reload: { title: 'Sends SIGHUP to its main process', changes: true, input: nothing },
  },
  ocf: {
    monitor: {
      title: 'Runs the agent’s monitor at a depth, and answers what it says',
      changes: false,
      input: z.strictObject({ depth: z.int().min(0).max(999).default(0) }),
    },
  },
  'ip-address': {
    announce: {
      title: 'Tells neighbours of its place again (gratuitous ARP)',
      changes: false,
      input: nothing,
    },
  },
  'file-system': {
    usage: { title: 'Its size, and what is free, in bytes', changes: false, input: nothing },
    holders: { title: 'The processes that keep it busy', changes: false, input: nothing },
  },
  'systemd-unit': {
    reload: { title: 'Has systemd reload it (ExecReload=)', changes: true, input: nothing },
    status: { title: 'What systemd says of it', changes: false, input: nothing },
  },
  'virtual-machine': {
    status: { title: 'What QEMU says of it', changes: false, input: nothing },
    settings: {
      title: 'What libvirt says of the running domain, and of its definition here, as XML',
      changes: false,
      input: nothing,
    },
    resize: {
      title: 'Memory (by its balloon) and CPUs that it has now, within what it was started with',
      changes: true,
      input: z.strictObject({
        currentMemoryMib: z.int().min(1).max(67_108_864).optional(),
        currentCpus: z.int().min(1).max(4_096).optional(),
      }),
    },
    reset: { title: 'Resets it, as its reset button does', changes: true, input: nothing },
  },
} satisfies Readonly<Record<string, Controls>>
