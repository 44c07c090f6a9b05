/**
 * What this host is willing to run: a file that only the host's root can write. The control plane
 * cannot override it (DESIGN, host policy).
 */
import * as z from 'zod'
import { typeName } from './ids.ts'

const pattern = z.string().min(1).max(4_096)

/** Fence agents that this host runs to end another one (F1). Without this section: none. */
export const fencePolicy = z.strictObject({
  /** Agents by name, such as fence_ipmilan; `*` at the end allows a prefix. */
  agents: z.array(pattern).max(100),
  /**
   * Options that the control plane may set besides SAFE_FENCE_OPTIONS. One that names a program or
   * a file makes whoever sets it root on this host: such ones belong in the secrets file.
   */
  options: z.array(z.string().max(64)).max(200).optional(),
  /** Where the agents are; absent: /usr/sbin. */
  folder: z.string().startsWith('/').max(4_096).optional(),
  /** Folder of the files that `secrets` of a fence names; absent: /etc/holdfast/fence. */
  secrets: z.string().startsWith('/').max(4_096).optional(),
})
export type FencePolicy = z.infer<typeof fencePolicy>

/** They say which plug of which device, and how to speak to it; none names a program or a file. */
export const SAFE_FENCE_OPTIONS: readonly string[] = [
  ...['plug', 'port', 'ip', 'ipaddr', 'ipport', 'inet4_only', 'inet6_only', 'uuid', 'nodename'],
  ...['username', 'login', 'auth', 'privlvl', 'cipher', 'lanplus', 'method', 'secure', 'ssl'],
  ...['ssl_secure', 'ssl_insecure', 'notls', 'telnet_timeout', 'snmp_version', 'hexadecimal_kg'],
  ...['delay', 'power_timeout', 'power_wait', 'shell_timeout', 'login_timeout', 'retry_on'],
  ...['off_timeout', 'on_timeout', 'stonith_status_sleep', 'disable_timeout', 'type'],
  ...['region', 'zone', 'project', 'subscription_id', 'resource_group', 'datacenter', 'vmware'],
]

const monitorLimit = z.strictObject({
  /** All of it, what it calls included; its heap is kept below. */
  memoryMb: z.int().min(96).max(1_048_576).optional(),
  /** Of one processor: 50 is half of one, 200 is two. */
  cpuPercent: z.int().min(5).max(100_000).optional(),
})
export const monitorLimits = z.strictObject({
  /** Of each monitor. */
  each: monitorLimit.optional(),
  /** Of those of single resources, where that differs. */
  separate: monitorLimit.optional(),
})
export type MonitorLimits = z.infer<typeof monitorLimits>

export const hostPolicy = z.strictObject({
  /** Allowed commands by absolute path; `*` at the end allows everything below a folder. */
  process: z
    .strictObject({
      commands: z.array(pattern).max(1_000),
      /** Users a command may run as; absent: only the probe's own. */
      users: z.array(z.string().max(32)).max(100).optional(),
    })
    .optional(),
  /** Scripts of operators, by absolute path: the script itself, not an interpreter of any script. */
  script: z
    .strictObject({
      commands: z.array(pattern).max(1_000),
      /** Users a script may run as; absent: only the probe's own. */
      users: z.array(z.string().max(32)).max(100).optional(),
    })
    .optional(),
  /**
   * OCF agents by name, such as ocf:heartbeat:IPaddr2; `*` at the end allows a prefix. An agent runs
   * as root and does what its parameters say: ocf:heartbeat:anything runs any command.
   */
  ocf: z
    .strictObject({
      agents: z.array(pattern).max(1_000),
      /** OCF_ROOT; absent: /usr/lib/ocf. */
      root: z.string().startsWith('/').max(4_096).optional(),
    })
    .optional(),
  /** Addresses by network (192.0.2.0/24) or one by one, and the devices they may be put on. */
  'ip-address': z
    .strictObject({
      networks: z.array(z.string().regex(/^[0-9A-Fa-f.:]+(?:\/[0-9]{1,3})?$/)).max(1_000),
      devices: z.array(pattern).max(100).optional(),
    })
    .optional(),
  /** What may be mounted, and where; `*` at the end allows a prefix. */
  'file-system': z
    .strictObject({
      sources: z.array(pattern).max(1_000),
      targets: z.array(pattern).max(1_000),
    })
    .optional(),
  /** Services of systemd by name; `*` at the end allows a prefix. */
  'systemd-unit': z
    .strictObject({
      units: z.array(pattern).max(1_000),
      /** Address of the bus that systemd is on; absent: the system bus. */
      bus: z.string().min(1).max(4_096).optional(),
      /** Where it has its run-time files; absent: /run. */
      runFolder: z.string().startsWith('/').max(4_096).optional(),
    })
    .optional(),
  /** Hosts that `http-endpoint` and `tcp-endpoint` may look at; absent: only this host itself. */
  endpoints: z.strictObject({ hosts: z.array(pattern).max(1_000) }).optional(),
  /** Allowed libvirt domain names; `*` at the end allows a prefix. */
  'virtual-machine': z
    .strictObject({
      domains: z.array(pattern).max(1_000),
      /** Files that a domain may name; absent: /var/lib/libvirt/images/* only. */
      paths: z.array(pattern).max(1_000).optional(),
      /** libvirt's socket; default /run/libvirt/libvirt-sock. */
      socket: z.string().max(4_096).optional(),
      /**
       * How virtual machines come here while they run: the address of this libvirt as others reach it
       * (qemu+tls://n1.example.org/system), and the one that its QEMU is to listen on. Absent: they do
       * not, and are moved by saving them, or by stop and start.
       */
      migration: z
        .strictObject({
          connect: z.string().max(1_024),
          address: z.union([z.ipv4(), z.ipv6(), z.hostname()]).optional(),
          /**
           * The files of domains are on storage that the hosts share, though libvirt cannot tell (it
           * knows NFS, GFS2, OCFS2, Ceph and block devices). Needed on both hosts of a move.
           */
          sharedStorage: z.literal(true).optional(),
        })
        .optional(),
      /** Real emulators that the gate may become. */
      emulators: z.array(pattern).max(100).optional(),
    })
    .optional(),
  /** Types of one's own by name: what their modules may have started. */
  modules: z
    .record(
      typeName,
      z.strictObject({
        commands: z.array(pattern).max(1_000),
        /** Users a command may run as; absent: only the probe's own. */
        users: z.array(z.string().max(32)).max(100).optional(),
      }),
    )
    .optional(),
  /** What a resource monitor of this host may take, where its cgroups can see to that. */
  monitors: monitorLimits.optional(),
  fence: fencePolicy.optional(),
  /** A watchdog device that the guard feeds (G12): it resets this host when the guard is gone. */
  watchdog: z
    .strictObject({
      device: z.string().startsWith('/').max(4_096).default('/dev/watchdog'),
      /** What the device itself is set to, its granularity included. */
      timeoutMs: z.int().min(200).max(600_000),
    })
    .optional(),
})
export type HostPolicy = z.infer<typeof hostPolicy>

export function allows(patterns: readonly string[], text: string): boolean {
  return patterns.some((p) => (p.endsWith('*') ? text.startsWith(p.slice(0, -1)) : p === text))
}
