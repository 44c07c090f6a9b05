/** What of a cluster anybody may see who has the link: states of groups, and the names that were allowed. Pure. */
import type { ClusterView, GroupState } from '../../schema/api/bodies.ts'

/** `unknown`: its control plane did not answer. */
export type Overall = 'operational' | 'degraded' | 'outage' | 'maintenance' | 'unknown'

export interface PublicStatus {
  readonly overall: Overall
  /** In the order of their names. */
  readonly groups: readonly {
    readonly name: string
    readonly says: string
    readonly bad: Badness
  }[]
  /** How many others there are, by what they are. */
  readonly others: readonly {
    readonly says: string
    readonly count: number
    readonly bad: Badness
  }[]
  readonly atMs: number
}

/** 0: as it should be. */
type Badness = 0 | 1 | 2

const WORDS: Readonly<Record<GroupState, { says: string; bad: Badness }>> = {
  online: { says: 'online', bad: 0 },
  offline: { says: 'offline, as intended', bad: 0 },
  partialOnline: { says: 'partly online', bad: 1 },
  pending: { says: 'starting or moving', bad: 1 },
  waiting: { says: 'down', bad: 2 },
  failed: { says: 'down', bad: 2 },
}

type Shown = Pick<ClusterView['groups'][number], 'id' | 'name' | 'state' | 'maintenance'>

/** @param named GUIDs of groups whose names may be shown; null: of all */
export function publicStatus(
  all: readonly Shown[],
  named: readonly string[] | null,
  atMs: number,
): PublicStatus {
  const isNamed = ({ id }: Shown) => named === null || named.includes(id)
  const groups = all
    .filter(isNamed)
    .map((one) => ({ name: one.name, ...wordsOf(one) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const counted = new Map<string, { says: string; count: number; bad: Badness }>()
  for (const one of all.filter((group) => !isNamed(group))) {
    const words = wordsOf(one)
    counted.set(words.says, { ...words, count: (counted.get(words.says)?.count ?? 0) + 1 })
  }
  const others = [...counted.values()].sort((a, b) => b.bad - a.bad || (a.says < b.says ? -1 : 1))
  return { overall: overallOf(all), groups, others, atMs }
}

export const unknownStatus = (atMs: number): PublicStatus => ({
  ...{ overall: 'unknown', groups: [], others: [], atMs },
})

const wordsOf = ({ state, maintenance }: Shown): { says: string; bad: Badness } =>
  maintenance !== null && WORDS[state].bad > 0 ? { says: 'in maintenance', bad: 1 } : WORDS[state]

function overallOf(all: readonly Shown[]): Overall {
  const worst = Math.max(0, ...all.map((one) => wordsOf(one).bad))
  if (worst === 0) return 'operational'
  if (worst === 2) return 'outage'
  const ill = all.filter((one) => wordsOf(one).bad > 0)
  return ill.every(({ maintenance }) => maintenance !== null) ? 'maintenance' : 'degraded'
}
