/**
 * Placement, whatever the cluster: hard rules and room hold at every moment, nothing moves without a
 * cause, the order of records does not matter, and it comes to rest.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Event, Request } from '../../schema/event.ts'
import { fromDocument, toDocument } from '../../schema/hive.ts'
import { step } from '../../worker/core/step.ts'
import { act, form, GROUP, id, NODE, plan, RULE } from './instant-cluster.ts'

test('hard rules and room hold at every moment, and all comes to rest', () => {
  fc.assert(
    fc.property(plan, (drawn) => {
      const cluster = form(drawn)
      for (const one of drawn.actions) act(cluster, drawn, one)
      const before = cluster.updates
      // Nothing has happened: nothing is done.
      for (let n = 0; n < 3; n += 1) cluster.event({ type: 'woke' })
      expect(cluster.updates).toBe(before)
    }),
    { numRuns: 400 },
  )
})

test('the same is decided whatever order the records come in', () => {
  fc.assert(
    fc.property(plan, fc.nat(4), (drawn, n) => {
      const cluster = form(drawn)
      for (const one of drawn.actions) act(cluster, drawn, one)
      const { hive, observed } = cluster.state
      const document = toDocument(hive)
      const turned = fromDocument({
        ...document,
        ...{ nodes: [...document.nodes].reverse(), groups: [...document.groups].reverse() },
        ...{ resources: [...document.resources].reverse(), rules: [...document.rules].reverse() },
      })
      const event: Event = {
        ...{ type: 'requested', by: 'somebody' },
        request: { type: 'drainNode', nodeId: id(NODE, n % drawn.capacities.length) },
      }
      const one = step({ hive, observed }, event, cluster.nowMs)
      expect(step({ hive: turned, observed }, event, cluster.nowMs)).toEqual(one)
    }),
    { numRuns: 150 },
  )
})

test('RULES_CONTRADICT: a hard rule that others exclude is refused, with their names', () => {
  const cluster = form({
    ...{ capacities: [8, 8], policy: 'list', rules: [], actions: [] },
    groups: Array.from({ length: 3 }, () => ({
      ...{ needs: 0, priority: 0, prefers: null, failback: false },
    })),
  })
  const [a, b, c] = [id(GROUP, 0), id(GROUP, 1), id(GROUP, 2)]
  const rule = (n: number, kind: 'keepApart' | 'keepTogether', groups: string[]): Request => ({
    ...{ type: 'createRule', ruleId: id(RULE, n), name: `rule${n}`, kind, hard: true, groups },
  })
  cluster.ask(rule(1, 'keepTogether', [a, b]))
  cluster.ask(rule(2, 'keepTogether', [b, c]))
  const { hive, observed } = cluster.state
  const request = rule(3, 'keepApart', [a, c])
  const said = step({ hive, observed }, { type: 'requested', request, by: 'x' }, cluster.nowMs)
  expect(said.updates).toEqual([])
  expect(said.refused).toMatchObject({
    code: 'RULES_CONTRADICT',
    message:
      'rule "rule3" contradicts "rule1" and "rule2": g0 and g2 would be kept together and apart',
  })
  cluster.ask({ ...request, hard: false } as Request)
  expect(cluster.refused).toEqual([])
})

test('RULE_FORBIDS: a move that would break a hard rule is refused, and says which', () => {
  const cluster = form({
    ...{ capacities: [8, 8], policy: 'list', actions: [] },
    rules: [{ kind: 'keepApart', hard: true, of: [0, 1] }],
    groups: Array.from({ length: 2 }, () => ({
      ...{ needs: 1, priority: 0, prefers: null, failback: false },
    })),
  })
  const { hive, observed } = cluster.state
  const owner = hive.groups.get(id(GROUP, 0))?.ownership.owner as string
  const request: Request = { type: 'moveGroup', groupId: id(GROUP, 1), to: owner }
  const said = step({ hive, observed }, { type: 'requested', request, by: 'x' }, cluster.nowMs)
  expect(said.refused).toMatchObject({
    code: 'RULE_FORBIDS',
    message: 'cannot move g1 to n0: it is kept apart from g0 (rule rule0)',
  })
  expect(said.updates).toEqual([])
})

test('S-92: what can move while it runs does, when a hard rule is repaired', () => {
  const cluster = form({
    ...{ capacities: [8, 8], policy: 'list', rules: [], actions: [] },
    groups: [{ needs: 0, priority: 0, prefers: null, failback: false }],
  })
  const groupId = id(GROUP, 7)
  cluster.ask({ type: 'createGroup', groupId, name: 'vm', settings: {} })
  cluster.ask({
    ...{ type: 'createResource', resourceId: id(9, 7), groupId, name: 'guest' },
    ...{ resourceType: 'virtual-machine', persistentState: 1 },
    settings: { properties: { domain: 'guest', xml: '<domain/>' } },
  })
  const { hive, observed } = cluster.state
  const { epoch, owner: nodeId } = hive.groups.get(groupId)?.ownership ?? {}
  const items = [{ resourceId: id(9, 7), epoch, status: 'online', restarts: 0, gaveUp: false }]
  cluster.event({ type: 'resourceReported', nodeId, session: 1, items } as unknown as Event)
  const request: Request = {
    ...{ type: 'createRule', ruleId: id(RULE, 7), name: 'pair', kind: 'keepApart', hard: true },
    groups: [id(GROUP, 0), groupId],
  }
  const said = step({ hive, observed }, { type: 'requested', request, by: 'x' }, cluster.nowMs)
  expect(said.updates.map((u) => u.change.value)).toContainEqual(
    expect.objectContaining({
      name: 'vm',
      ownership: expect.objectContaining({
        ...{ phase: 'releasing', to: id(NODE, 1) },
        carry: expect.objectContaining({ method: 'live', asked: 'auto' }),
      }),
    }),
  )
})

test('no failback to where something is that is kept together with what it is kept apart from', () => {
  // g4 has no room anywhere; g1, which it is kept together with, is where g0 would rather be.
  const group = { needs: 0, priority: 0, prefers: null, failback: false }
  const cluster = form({
    ...{ capacities: [4, 4], policy: 'list', actions: [] },
    groups: [
      { ...group, prefers: 0, failback: true },
      ...[group, group, group],
      { ...group, needs: 5 },
    ],
    rules: [
      { kind: 'keepTogether', hard: true, of: [1, 4] },
      { kind: 'keepApart', hard: true, of: [0, 4] },
    ],
  })
  const before = cluster.updates
  cluster.event({ type: 'woke' })
  expect(cluster.updates).toBe(before)
})
