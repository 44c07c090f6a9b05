import type { GuardFile } from '../../probe/core/guard.ts'

/** What the next guard finds: only what is written, and nothing that could be changed behind its back. */
export function asRead(file: GuardFile | null): GuardFile | null {
  if (file === null) return null
  const { boot, guard, timing, policy, leases, grants, seen, records, copies, begun } = file
  const text = { boot, guard, timing, policy, leases, grants, seen, records, copies, begun }
  return JSON.parse(JSON.stringify(text)) as GuardFile
}
