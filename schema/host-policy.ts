/**
 * What this host is willing to run: a file that only the host's root can write. The control plane
 * cannot override it (DESIGN, host policy).
 */
import * as z from 'zod'

const pattern = z.string().min(1).max(4_096)

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
      /** Real emulators that the gate may become. */
      emulators: z.array(pattern).max(100).optional(),
    })
    .optional(),
})
export type HostPolicy = z.infer<typeof hostPolicy>

export function allows(patterns: readonly string[], text: string): boolean {
  return patterns.some((p) => (p.endsWith('*') ? text.startsWith(p.slice(0, -1)) : p === text))
}
