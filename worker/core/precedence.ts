/** Which of two groups comes first where both want the same: the one of higher priority, or the older. */
import type { Group } from '../../schema/hive.ts'

export const priorityOf = (group: Group): number => group.priority ?? 0

/** For sorting: the first one is placed first. */
export const inOrder = (a: Group, b: Group): number =>
  priorityOf(b) - priorityOf(a) ||
  a.createdAtMs - b.createdAtMs ||
  (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

export const precedes = (a: Group, b: Group): boolean => inOrder(a, b) < 0
