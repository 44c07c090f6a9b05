/** `holdfast simulate` and `survivability`: what they say is what happens, and nothing does. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toDocument } from '../../schema/hive.ts'
import { whatIf } from '../../worker/core/what-if.ts'
import { Survivability } from '../../worker/survivability.ts'
import { act, type Cluster, form, GROUP, id, NODE, plan } from './instant-cluster.ts'

const owners = ({ state }: Cluster) =>
  new Map([...state.hive.groups.values()].map((g) => [g.name, g.ownership.owner]))

test('what is said of a lost node is what comes of its loss', () => {
  fc.assert(
    fc.property(plan, fc.nat(4), (drawn, n) => {
      const cluster = form(drawn)
      for (const one of drawn.actions) act(cluster, drawn, one)
      const node = n % drawn.capacities.length
      const before = toDocument(cluster.state.hive)
      const said = whatIf(
        cluster.state,
        { what: 'nodeDown', nodes: [id(NODE, node)] },
        cluster.nowMs,
      )
      expect(toDocument(cluster.state.hive)).toEqual(before)
      if ('refused' in said) throw new Error('it is no request')
      const was = owners(cluster)
      cluster.lose(node)
      const names = new Map([...cluster.state.hive.nodes.values()].map((x) => [x.id, x.name]))
      for (const [group, owner] of owners(cluster)) {
        const row = said.groups.find((one) => one.group === group)
        expect(row ? row.to : (names.get(was.get(group) ?? '') ?? null), group).toBe(
          names.get(owner ?? '') ?? null,
        )
      }
    }),
    { numRuns: 200 },
  )
})

const two = () =>
  form({
    ...{ capacities: [8, 4], policy: 'list', rules: [], actions: [] },
    groups: [
      { needs: 2, priority: 0, prefers: 0, failback: false },
      { needs: 6, priority: 0, prefers: 0, failback: false },
    ],
  })

test('survivability: for each node who lands where, and what cannot start, with reasons', async () => {
  const { state } = two()
  let at = 1
  let looks = 0
  const losses = new Survivability({
    progress: () => at,
    state: () => {
      looks += 1
      return state
    },
  })
  const { nodes } = await losses.of(1)
  expect(nodes).toEqual([
    {
      node: 'n0',
      groups: [
        { group: 'g0', from: 'n0', to: 'n1', wanted: true, waitsFor: [], reasons: [] },
        {
          ...{ group: 'g1', from: 'n0', to: null, wanted: true, waitsFor: [] },
          reasons: [
            { node: 'n0', reason: 'down' },
            { node: 'n1', reason: 'no room: 6 mem needed, 2 of 4 left' },
          ],
        },
      ],
    },
    { node: 'n1', groups: [] },
  ])
  expect((await losses.of(2)).nodes).toMatchObject([{ node: 'n0,n1' }])
  // Nothing has changed: nothing is worked out again.
  const before = looks
  expect((await losses.of(1)).nodes).toBe(nodes)
  expect(looks).toBe(before)
  at += 1
  expect((await losses.of(1)).nodes).toEqual(nodes)
  expect(looks).toBeGreaterThan(before)
})

test('a move and a failover that are refused say so', () => {
  const { state, nowMs } = two()
  const group = id(GROUP, 1)
  const move = whatIf(state, { what: 'move', group, to: id(NODE, 1) }, nowMs)
  expect(move).toMatchObject({ refused: { code: 'RULE_FORBIDS' } })
  expect(whatIf(state, { what: 'fail', group }, nowMs)).toMatchObject({
    refused: { code: 'NO_ELIGIBLE_NODE' },
  })
  expect(whatIf(state, { what: 'drain', nodes: [id(NODE, 0)] }, nowMs)).toEqual({
    groups: [{ group: 'g0', from: 'n0', to: 'n1', wanted: true, waitsFor: [], reasons: [] }],
    restarts: [],
    cutOff: [],
  })
})

test('partition: by lease the hosts stop and are taken over, by fence they run on', () => {
  const { state, nowMs } = two()
  const [n0, n1] = [id(NODE, 0), id(NODE, 1)]
  const cut = (nodes: string[]) => {
    const said = whatIf(state, { what: 'partition', nodes }, nowMs)
    if ('refused' in said) throw new Error('it is no request')
    return said
  }
  const lease = cut([n0])
  expect(lease.cutOff).toEqual([
    { node: 'n0', does: 'stops', stopsAfterMs: 4_000, takenOverAfterMs: 6_622 },
  ])
  expect(lease.groups).toMatchObject([
    { group: 'g0', to: 'n1' },
    { group: 'g1', to: null },
  ])
  // All of them: nobody takes anything, and nothing runs.
  expect(cut([n0, n1]).groups.map((g) => g.to)).toEqual([null, null])
  const node = state.hive.nodes.get(n0)
  if (!node) throw new Error('it is gone')
  const fence = {
    ...{ agent: 'fence_dummy', options: {}, secrets: null, helpers: [n1], timeoutMs: 1_000 },
    ...{ attempts: 1, delayMs: null, powerOn: false },
  }
  state.hive.nodes.set(n0, { ...node, under: 'fence' })
  expect(cut([n0])).toMatchObject({ groups: [], cutOff: [{ node: 'n0', does: 'runsOn' }] })
  state.hive.nodes.set(n0, { ...node, under: 'fence', fence: fence as never })
  expect(cut([n0])).toMatchObject({
    cutOff: [{ does: 'fenced', stopsAfterMs: null, takenOverAfterMs: null }],
    groups: [{ group: 'g0', to: 'n1' }, { group: 'g1' }],
  })
  // The only helper is cut off as well.
  expect(cut([n0, n1]).cutOff[0]).toMatchObject({ node: 'n0', does: 'runsOn' })
})
