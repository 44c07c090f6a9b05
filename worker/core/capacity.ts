import type { Node } from '../../schema/hive.ts'
import type { Amounts } from '../../schema/placement.ts'

/** What a node has: as was declared, and of what was not, what its host has measured. Absent: no limits are known. */
export function capacityOf({ capacity, measured }: Node): Amounts | undefined {
  if (!measured || !capacity) return capacity ?? measured
  return { ...measured, ...capacity }
}
