/**
 * Which of two groups comes first where both want the same: the one of higher priority, then the one that
 * the other depends on, then the older. What hard rules keep together counts as the most important of it,
 * and what others depend on as at least as important as these: or they would displace what they need, wait
 * for it, and do so for ever.
 */
import type { Group } from '../../schema/hive.ts'
import type { Rule } from '../../schema/placement.ts'

export const priorityOf = (group: Group): number => group.priority ?? 0

const byAge = (a: Group, b: Group): number =>
  a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

/** Whether it stands where it stood among the others. */
export function sameOrder(before: Group | undefined, now: Group | null): boolean {
  return (
    before !== undefined &&
    now !== null &&
    priorityOf(before) === priorityOf(now) &&
    before.after === now.after &&
    before.onlyWhile === now.onlyWhile
  )
}

interface Standing {
  /** As its own, or that of the most important one that depends on it. */
  readonly priority: number
  /** How many come before it, one after the other. */
  readonly depth: number
}

export class Precedence {
  /** All groups by GUID, the first one first. */
  readonly ordered: readonly string[]
  #places: Map<string, number> | null = null
  /** By group: the first of those that it is kept together with. Without any it is not here. */
  readonly #firsts = new Map<string, Group>()

  /** By group, or the first of what it is kept together with. Without any dependencies it is empty. */
  readonly #standings: ReadonlyMap<string, Standing>
  /** The same, each group by itself. */
  readonly #own: ReadonlyMap<string, Standing>

  constructor(groups: readonly Group[], rules: readonly Rule[]) {
    const hasOrder = groups.some((g) => g.after !== undefined || g.onlyWhile !== undefined)
    this.#own = hasOrder ? standings(groups, (group) => group) : new Map()
    this.#standings = this.#own
    const sorted = [...groups].sort((a, b) => this.#inOrder(a, b, this.#own))
    const together = rules.filter((rule) => rule.hard && rule.kind === 'keepTogether')
    // In order of precedence, so that whoever comes first gives its name to all it reaches.
    if (together.length > 0)
      for (const group of sorted) if (!this.#firsts.has(group.id)) this.#lead(group, together)
    if (together.length > 0) {
      if (hasOrder) this.#standings = standings(groups, (group) => this.first(group))
      sorted.sort((a, b) => this.compare(a, b))
    }
    this.ordered = sorted.map(({ id }) => id)
  }

  /** Negative: `a` comes first. */
  compare(a: Group, b: Group): number {
    return (
      this.#inOrder(this.first(a), this.first(b), this.#standings) || this.#inOrder(a, b, this.#own)
    )
  }

  /** What is of less may have to make room for it. */
  importance(group: Group): number {
    const first = this.first(group)
    return this.#standings.get(first.id)?.priority ?? priorityOf(first)
  }

  #inOrder(a: Group, b: Group, standings: ReadonlyMap<string, Standing>): number {
    const of = (group: Group) =>
      standings.get(group.id) ?? { priority: priorityOf(group), depth: 0 }
    const [one, other] = [of(a), of(b)]
    return other.priority - one.priority || one.depth - other.depth || byAge(a, b)
  }

  /** Its place among all. */
  placeOf(groupId: string): number {
    this.#places ??= new Map(this.ordered.map((id, place) => [id, place]))
    return this.#places.get(groupId) ?? this.ordered.length
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

/** @param of what stands for a group: itself, or the first of what it is kept together with */
function standings(
  groups: readonly Group[],
  of: (group: Group) => Group,
): ReadonlyMap<string, Standing> {
  const byId = new Map(groups.map((group) => [group.id, group]))
  const found = new Map(
    groups.map((group) => [of(group).id, { priority: priorityOf(of(group)), depth: 0 }]),
  )
  const pairs = groups.flatMap((group) =>
    [...(group.after ?? []), ...(group.onlyWhile ?? [])].flatMap((id) => {
      const provider = byId.get(id)
      const [above, below] = [of(group).id, provider && of(provider).id]
      return below === undefined || below === above ? [] : [{ above, below }]
    }),
  )
  // Sets that are kept together may stand in a circle though groups do not: then it ends here.
  for (let pass = 0; pass <= found.size; pass += 1) {
    let changed = false
    for (const { above, below } of pairs) {
      const [high, low] = [found.get(above) as Standing, found.get(below) as Standing]
      if (low.priority < high.priority) found.set(below, { ...low, priority: high.priority })
      if (high.depth <= low.depth) found.set(above, { ...high, depth: low.depth + 1 })
      changed ||= low.priority < high.priority || high.depth <= low.depth
    }
    if (!changed) break
  }
  return found
}
