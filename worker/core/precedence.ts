/**
 * Which of two groups comes first where both want the same: the one of higher priority, or the older.
 * What hard rules keep together counts as the most important of it.
 */
import type { Group } from '../../schema/hive.ts'
import type { Rule } from '../../schema/placement.ts'

export const priorityOf = (group: Group): number => group.priority ?? 0

const inOrder = (a: Group, b: Group): number =>
  priorityOf(b) - priorityOf(a) ||
  a.createdAtMs - b.createdAtMs ||
  (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

export class Precedence {
  /** All groups by GUID, the first one first. */
  readonly ordered: readonly string[]
  /** By group: the first of those that it is kept together with. Without any it is not here. */
  readonly #firsts = new Map<string, Group>()

  constructor(groups: readonly Group[], rules: readonly Rule[]) {
    const sorted = [...groups].sort(inOrder)
    const together = rules.filter((rule) => rule.hard && rule.kind === 'keepTogether')
    // In order of precedence, so that whoever comes first gives its name to all it reaches.
    if (together.length > 0)
      for (const group of sorted) if (!this.#firsts.has(group.id)) this.#lead(group, together)
    if (together.length > 0) sorted.sort((a, b) => this.compare(a, b))
    this.ordered = sorted.map(({ id }) => id)
  }

  /** Negative: `a` comes first. */
  compare(a: Group, b: Group): number {
    return inOrder(this.first(a), this.first(b)) || inOrder(a, b)
  }

  first(group: Group): Group {
    return this.#firsts.get(group.id) ?? group
  }

  #lead(first: Group, rules: readonly Rule[]): void {
    const reached = new Set([first.id])
    for (const id of reached)
      for (const rule of rules)
        if (rule.groups.includes(id)) for (const other of rule.groups) reached.add(other)
    for (const id of reached) this.#firsts.set(id, first)
  }
}
