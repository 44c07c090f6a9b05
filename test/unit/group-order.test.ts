/** S-93: dependencies between groups, beside rules, room and faults of all kinds. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { brokenInvariants } from '../../worker/core/invariants.ts'
import { whatIf } from '../../worker/core/what-if.ts'
import { act, Cluster, form, GROUP, id, NODE, plan, RESOURCE } from './instant-cluster.ts'

const edges = fc.array(
  fc.record({ from: fc.nat(7), to: fc.nat(7), while: fc.boolean(), before: fc.nat(12) }),
  { minLength: 1, maxLength: 8 },
)

const isOnline = ({ state }: Cluster, groupId: string): boolean => {
  const { ownership } = state.hive.groups.get(groupId) ?? {}
  if (ownership?.phase !== 'owned') return false
  return [...state.hive.resources.values()]
    .filter((r) => r.groupId === groupId)
    .every((r) => {
      const seen = state.observed.resources.get(r.id)
      return r.persistentState === 1 && seen?.status === 'online' && seen.epoch === ownership.epoch
    })
}

function depend(cluster: Cluster, one: { from: number; to: number; while: boolean }): void {
  const group = cluster.state.hive.groups.get(id(GROUP, one.from))
  if (!group) return
  const list = one.while ? 'onlyWhile' : 'after'
  const settings = { [list]: [...(group[list] ?? []), id(GROUP, one.to)] }
  cluster.ask({ type: 'changeGroup', groupId: group.id, settings })
}

function judge(cluster: Cluster): void {
  const { hive } = cluster.state
  expect(brokenInvariants(hive)).toEqual([])
  for (const group of hive.groups.values()) {
    const { name, waitsFor = [], onlyWhile = [], ownership } = group
    // Nobody waits for ever: at rest, whoever waits does so for something that is not online.
    for (const provider of waitsFor) expect(isOnline(cluster, provider), name).toBe(false)
    const wanted = cluster.state.hive.resources.get(id(RESOURCE, Number(name.slice(1))))
    if (wanted?.persistentState !== 1 || ownership.phase !== 'owned' || waitsFor.length > 0)
      continue
    for (const provider of onlyWhile) expect(isOnline(cluster, provider), name).toBe(true)
    expect(isOnline(cluster, group.id), name).toBe(true)
  }
}

test('S-93: at rest nothing waits for what is online, nothing is online without what it needs, and it always comes to rest', () => {
  fc.assert(
    fc.property(
      plan,
      edges,
      fc.array(fc.nat(15), { maxLength: 6 }),
      (drawn, drawnEdges, toggles) => {
        const cluster = form(drawn)
        for (const n of drawn.groups.keys()) cluster.settle(id(GROUP, n))
        const last = drawn.actions.length
        for (const [n, one] of [...drawn.actions, null].entries()) {
          for (const edge of drawnEdges)
            if (Math.min(edge.before, last) === n) depend(cluster, edge)
          judge(cluster)
          if (one) act(cluster, drawn, one)
          judge(cluster)
          const toggle = toggles[n]
          if (toggle === undefined || toggle >> 1 >= drawn.groups.length) continue
          const groupId = id(GROUP, toggle >> 1)
          cluster.ask({ type: 'setGroupState', groupId, persistentState: (toggle & 1) as 0 | 1 })
          cluster.settle(groupId)
          judge(cluster)
        }
      },
    ),
    { numRuns: 100 },
  )
})

function chain(): Cluster {
  const cluster = new Cluster([{}, {}])
  for (const n of [0, 1, 2]) {
    const groupId = id(GROUP, n)
    cluster.ask({ type: 'createGroup', groupId, name: `g${n}`, settings: {} })
    cluster.ask({
      ...{ type: 'createResource', resourceId: id(RESOURCE, n), groupId, name: `r${n}` },
      ...{ resourceType: 'process', persistentState: 1 },
      settings: { properties: { command: '/bin/true' } },
    })
  }
  depend(cluster, { from: 0, to: 1, while: false })
  depend(cluster, { from: 1, to: 2, while: true })
  return cluster
}

test('a cycle is refused with the groups along it, whichever kind its parts are of', () => {
  const cluster = chain()
  depend(cluster, { from: 2, to: 0, while: false })
  depend(cluster, { from: 2, to: 2, while: true })
  expect(cluster.refused).toEqual(['DEPENDENCY_CYCLE', 'DEPENDENCY_CYCLE'])
})

test('GROUP_IN_USE: a group that others depend on is not deleted', () => {
  const cluster = chain()
  cluster.ask({ type: 'setResourceState', resourceId: id(RESOURCE, 2), persistentState: 0 })
  cluster.settle(id(GROUP, 2))
  cluster.ask({ type: 'deleteResource', resourceId: id(RESOURCE, 2) })
  cluster.ask({ type: 'deleteGroup', groupId: id(GROUP, 2) })
  expect(cluster.refused).toEqual(['GROUP_IN_USE'])
})

test('simulate: a group that would wait says for whom, and where', () => {
  const cluster = chain()
  cluster.ask({
    type: 'changeResource',
    resourceId: id(RESOURCE, 2),
    settings: { possibleOwners: [id(NODE, 0)] },
  })
  const { nowMs, state } = cluster
  const said = whatIf(state, { what: 'nodeDown', nodes: [id(NODE, 0)] }, nowMs)
  if ('refused' in said) throw new Error('it is no request')
  // g0 comes only after g1, which is online only while g2 is, and nobody else may have that.
  const rows = said.groups.map(({ group, to, waitsFor }) => ({ group, to, waitsFor }))
  expect(rows).toEqual([
    { group: 'g2', to: null, waitsFor: [] },
    { group: 'g1', to: 'n1', waitsFor: ['g2'] },
    { group: 'g0', to: 'n1', waitsFor: ['g1'] },
  ])
})

const plain = { needs: 0, priority: 0, prefers: null, failback: false }
const together = { kind: 'keepTogether' as const, hard: true, of: [0, 1] }

// Each was let go of, had the other one follow it, and waited for that again, for ever.
test('S-19, S-93: nobody goes back to where what waits for it, and is kept together with it, may not be', () => {
  const cluster = form({
    ...{ capacities: [4, 4], policy: 'list', actions: [], rules: [together] },
    groups: [{ ...plain, prefers: 0, failback: true }, plain],
  })
  depend(cluster, { from: 1, to: 0, while: false })
  const settings = { possibleOwners: [id(NODE, 1)] }
  cluster.ask({ type: 'changeResource', resourceId: id(RESOURCE, 1), settings })
  for (const n of [0, 1])
    expect(cluster.state.hive.groups.get(id(GROUP, n))?.ownership).toMatchObject({
      ...{ phase: 'owned', owner: id(NODE, 1) },
    })
})

test('S-91, S-93: nobody comes up where what waits for it, and is kept together with it, is kept apart from others', () => {
  const apart = { kind: 'keepApart' as const, hard: true, of: [0, 2] }
  const cluster = form({
    ...{ capacities: [4, 4], policy: 'list', actions: [], rules: [apart, together] },
    groups: [plain, plain, { ...plain, priority: 1, prefers: 1 }],
  })
  depend(cluster, { from: 0, to: 1, while: false })
  cluster.lose(0)
  const group = (n: number) => cluster.state.hive.groups.get(id(GROUP, n))
  expect(group(0)?.waitsFor).toEqual([id(GROUP, 1)])
  expect([1, 2].map((n) => group(n)?.ownership.phase)).toEqual(['free', 'owned'])
})
