import type { Update } from '../../schema/update.ts'

/**
 * Communications Manager: which nodes must hear of an update at once. The others get it gathered,
 * within a second, in one frame with all that came before it.
 */
export function concernedNodes(u: Update): readonly string[] | 'all' {
  const { change } = u
  switch (change.table) {
    case 'cluster':
      return []
    case 'node':
      return [change.id]
    case 'group': {
      const { ownership } = change.value ?? {}
      if (!ownership) return 'all'
      if (ownership.phase === 'free')
        return [ownership.lastOwner, ownership.to].filter((id) => id !== null)
      // M1: the target has to know of the copy before it is asked to make a place for it.
      return ownership.phase === 'releasing' && ownership.to !== null
        ? [ownership.owner, ownership.to]
        : [ownership.owner]
    }
    case 'resource':
    case 'type':
      return 'all'
    case 'rule':
      // Nothing that a node does follows from one.
      return []
  }
}

/** All that must hear of these at once; `all` among them: everybody. */
export function concernedBy(updates: readonly Update[]): Set<string> {
  const concerned = new Set<string>()
  for (const u of updates) {
    const nodes = concernedNodes(u)
    for (const id of nodes === 'all' ? ['all'] : nodes) concerned.add(id)
  }
  return concerned
}

/**
 * Once-only effect (S-16): whether a report with this number has been applied already.
 * Numbers count within one run of a node's agent and are made durable with their effect.
 */
export function isRepeated(
  known: { run: string; n: number } | undefined,
  run: string,
  n: number,
): boolean {
  return known?.run === run && n <= known.n
}
