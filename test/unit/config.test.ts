/** Configuration as one document: what is exported is what is there, and a plan is what is applied. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ConfigText, configDocument, timeText } from '../../schema/api/config.ts'
import { canonicalJson } from '../../schema/canonical.ts'
import type { Event } from '../../schema/event.ts'
import { exportConfig } from '../../worker/core/config/export.ts'
import { plan as planOf } from '../../worker/core/config/plan.ts'
import { step } from '../../worker/core/step.ts'
import { act, Cluster, form, id, NODE, plan } from './instant-cluster.ts'

let made = 0
const wanted = (config: ConfigText, prune = false, file?: string) => ({
  ...{ config: configDocument.parse(config), prune },
  source: (pointer: string) => (file === undefined ? undefined : `${file}:${pointer.length}`),
  newId: () => id(7, ++made),
})
function planned(cluster: Cluster, config: ConfigText, prune = false, file?: string) {
  const answer = planOf(cluster.state, wanted(config, prune, file), cluster.nowMs)
  if ('refused' in answer) throw new Error(JSON.stringify(answer.refused))
  return answer
}
function refused(cluster: Cluster, config: ConfigText, prune = false) {
  const answer = planOf(cluster.state, wanted(config, prune), cluster.nowMs)
  if (!('refused' in answer)) throw new Error('it was planned')
  return answer.refused
}
function apply(cluster: Cluster, config: ConfigText, prune = false, file?: string): void {
  const { request } = planned(cluster, config, prune, file)
  if (request) cluster.ask(request)
}
const owners = ({ state }: Cluster) =>
  [...state.hive.groups.values()].map((g) => [g.name, g.ownership.owner]).sort()

describe('property: whatever the cluster', () => {
  test('applying what was exported changes nothing', () => {
    fc.assert(
      fc.property(plan, (drawn) => {
        const cluster = form(drawn)
        for (const one of drawn.actions) act(cluster, drawn, one)
        const config = exportConfig(cluster.state.hive)
        for (const prune of [false, true]) {
          const { view, request } = planned(cluster, config, prune)
          expect(view).toMatchObject({ changes: [], effects: [], later: [], kept: [] })
          expect(request).toBeNull()
        }
      }),
      { numRuns: 200 },
    )
  })

  test('an empty cluster that is given it is the same one, and what was said would start did', () => {
    fc.assert(
      fc.property(plan, (drawn) => {
        const config = exportConfig(form(drawn).state.hive)
        const other = new Cluster(drawn.capacities.map((mem) => ({ capacity: { mem } })))
        const { view, request } = planned(other, config)
        if (request) other.ask(request)
        expect(other.refused).toEqual([])
        expect(canonicalJson(exportConfig(other.state.hive))).toBe(canonicalJson(config))
        const said = view.effects.map(({ group, to }) => [group, to])
        const name = (node: string | null) => node && other.state.hive.nodes.get(node)?.name
        const is = owners(other).map(([group, node]) => [group, name(node ?? null)])
        expect([...said].sort()).toEqual(is.filter(([group]) => said.some(([g]) => g === group)))
      }),
      { numRuns: 150 },
    )
  })

  test('apply of a pruned document leaves nothing that it does not name', () => {
    fc.assert(
      fc.property(plan, fc.nat(7), (drawn, n) => {
        const cluster = form(drawn)
        cluster.refused.length = 0
        const config = exportConfig(cluster.state.hive)
        const names = Object.keys(config.groups ?? {})
        const gone = names[n % names.length] as string
        const { [gone]: _, ...groups } = config.groups ?? {}
        const smaller = { ...config, groups, rules: {} }
        // What runs is stopped by the first, and deleted by the next once it says that it has stopped.
        for (let times = 0; times < 2; times += 1) {
          apply(cluster, smaller, true)
          for (const [resourceId, r] of cluster.state.hive.resources) {
            const ownership = cluster.state.hive.groups.get(r.groupId)?.ownership
            if (r.persistentState === 1 || ownership?.phase !== 'owned') continue
            const item = { resourceId, epoch: ownership.epoch, status: 'offline' as const }
            cluster.event({
              ...{ type: 'resourceReported', nodeId: ownership.owner },
              session: cluster.state.hive.nodes.get(ownership.owner)?.session ?? 0,
              items: [{ ...item, restarts: 0, gaveUp: false }],
            })
          }
        }
        expect(cluster.refused).toEqual([])
        expect(Object.keys(exportConfig(cluster.state.hive).groups ?? {})).toEqual(
          Object.keys(groups),
        )
        expect(planned(cluster, smaller, true).view).toMatchObject({ changes: [], later: [] })
      }),
      { numRuns: 100 },
    )
  })
})

test.each([
  [500, '500ms'],
  [0, '0ms'],
  [60_000, '1m'],
  [90_000, '90s'],
  [21_600_000, '6h'],
  [86_400_000, '1d'],
])('a time is text and comes back: %i = %s', (ms, text) => {
  expect(timeText(ms)).toBe(text)
  const group = { failoverPeriod: text }
  expect(configDocument.parse({ groups: { g: group } }).groups['g']?.failoverPeriod).toBe(ms)
})

const process = (more: object = {}) => ({
  ...{ type: 'process', properties: { command: '/bin/true' }, ...more },
})
const two = () => new Cluster([{}, {}])

test('what changes is said by field; what would happen, by group', () => {
  const cluster = two()
  const web = { resources: { nginx: process(), app: process({ dependsOn: ['nginx'] }) } }
  const first = planned(cluster, { groups: { web } })
  expect(first.view.changes.map((c) => [c.action, c.kind, c.name])).toEqual([
    ['create', 'group', 'web'],
    ['create', 'resource', 'nginx'],
    ['create', 'resource', 'app'],
  ])
  expect(first.view.effects).toMatchObject([{ group: 'web', what: 'start', from: null, to: 'n0' }])
  apply(cluster, { groups: { web } })
  const next = {
    groups: {
      web: {
        priority: 5,
        resources: {
          ...web.resources,
          nginx: process({ possibleOwners: ['n1'], restart: { period: '30m' } }),
        },
      },
    },
  }
  const { view } = planned(cluster, next)
  expect(view.changes).toEqual([
    {
      ...{ action: 'change', kind: 'group', name: 'web', pointer: '/groups/web' },
      fields: [{ field: 'priority', from: 0, to: 5 }],
    },
    {
      ...{ action: 'change', kind: 'resource', name: 'nginx' },
      pointer: '/groups/web/resources/nginx',
      fields: [
        { field: 'possibleOwners', from: null, to: ['n1'] },
        { field: 'restart.period', from: '15m', to: '30m' },
      ],
    },
  ])
  expect(view.effects).toMatchObject([{ group: 'web', what: 'move', from: 'n0', to: 'n1' }])
  expect(view.warnings.map((w) => w.message)).toEqual([
    'web can only be on n1: when that is lost there is no other',
  ])
  expect(planned(cluster, { groups: {} }).view.kept).toEqual([{ kind: 'group', name: 'web' }])
})

test('state: offline stops it; absent leaves it as an operator has it', () => {
  const cluster = two()
  const web = (more: object) => ({ groups: { web: { resources: { nginx: process(more) } } } })
  apply(cluster, web({}))
  expect(planned(cluster, web({ state: 'offline' })).view.effects).toMatchObject([
    { group: 'web', what: 'stop', from: 'n0', to: null, stops: ['nginx'] },
  ])
  apply(cluster, web({ state: 'offline' }))
  expect(planned(cluster, web({})).view.changes).toEqual([])
})

test('S-93: alternatives, and groups that depend on each other, go there and back', () => {
  const cluster = two()
  const config = {
    groups: {
      // The dependent first: the order in the file is not the order in which it is made.
      web: {
        after: ['db'],
        onlyWhile: ['net'],
        resources: {
          nginx: process({ dependsOn: '(ip4 or ip6) and disk' }),
          ip4: process(),
          ip6: process(),
          disk: process(),
        },
      },
      db: {},
      net: {},
    },
  }
  apply(cluster, config)
  expect(cluster.refused).toEqual([])
  const web = exportConfig(cluster.state.hive).groups?.['web']
  expect(web).toMatchObject({ after: ['db'], onlyWhile: ['net'] })
  expect(web?.resources?.['nginx']?.dependsOn).toBe('disk and (ip4 or ip6)')
  expect(planned(cluster, config).view.changes).toEqual([])
  const circle = { groups: { db: { after: ['web'] } } }
  expect(refused(cluster, circle).code).toBe('DEPENDENCY_CYCLE')
})

test('what is no longer needed may go in the same document', () => {
  const cluster = two()
  const off = { state: 'offline' as const }
  const with2 = { nginx: process({ dependsOn: ['ip'], ...off }), ip: process(off) }
  apply(cluster, { groups: { web: { after: ['db'], resources: with2 }, db: {} } })
  for (const [resourceId, { groupId }] of cluster.state.hive.resources) {
    const { owner: nodeId, epoch } = cluster.state.hive.groups.get(groupId)?.ownership ?? {}
    const item = { resourceId, epoch, status: 'offline', restarts: 0, gaveUp: false }
    const event = { type: 'resourceReported', nodeId, session: 1, items: [item] }
    cluster.event(event as unknown as Event)
  }
  apply(cluster, { groups: { web: { resources: { nginx: process(off) } } } }, true)
  expect(cluster.refused).toEqual([])
  expect(Object.keys(exportConfig(cluster.state.hive).groups ?? {})).toEqual(['web'])
})

test('a plan stands for the state it was made from: a move makes it another, a session does not', () => {
  const cluster = two()
  const config = { groups: { web: { resources: { nginx: process() } } } }
  apply(cluster, config)
  const base = () => planned(cluster, config).view.base
  const first = base()
  cluster.report(1)
  expect(base()).toBe(first)
  const [group] = cluster.state.hive.groups.values()
  cluster.ask({ type: 'moveGroup', groupId: group?.id as string, to: id(NODE, 1) })
  expect(base()).not.toBe(first)
})

test('all or nothing: what is refused at its end has changed nothing, and the place is named', () => {
  const cluster = two()
  const before = canonicalJson(exportConfig(cluster.state.hive))
  const config = {
    groups: {
      a: { resources: { one: process(), bad: process({ properties: { command: 'relative' } }) } },
      b: {},
    },
    rules: { near: { keepTogether: ['a', 'b'] } },
  }
  const said = refused(cluster, config)
  expect(said).toMatchObject({ code: 'BAD_PROPERTY' })
  expect(said.errors?.[0]?.pointer).toBe('/groups/a/resources/bad/properties/command')
  expect(canonicalJson(exportConfig(cluster.state.hive))).toBe(before)
})

test.each([
  ['a node that has not joined', { nodes: { n9: {} } }, '/nodes/n9'],
  [
    'an owner that there is not',
    { groups: { g: { preferredOwners: ['n9'] } } },
    '/preferredOwners/0',
  ],
  [
    'a provider of another group',
    {
      groups: {
        a: { resources: { x: process() } },
        b: { resources: { y: process({ dependsOn: ['x'] }) } },
      },
    },
    '/groups/b/resources/y/dependsOn',
  ],
  [
    'a rule about no group',
    { groups: { g: {} }, rules: { r: { keepApart: ['g', 'h'] } } },
    '/rules/r',
  ],
  [
    'one name in two groups',
    { groups: { a: { resources: { x: process() } }, b: { resources: { x: process() } } } },
    '/groups/b/resources/x',
  ],
])('bad input: %s is refused with its place', (_, config, pointer) => {
  const said = refused(two(), config as ConfigText)
  expect(said.code).toBe('BAD_REQUEST')
  expect(said.errors?.[0]?.pointer).toContain(pointer)
})

test('bad input: a cycle is named; contradicting rules name each other and where they stand', () => {
  const cycle = { x: process({ dependsOn: ['y'] }), y: process({ dependsOn: ['x'] }) }
  const said = refused(two(), { groups: { g: { resources: cycle } } })
  expect(said).toMatchObject({ code: 'DEPENDENCY_CYCLE' })
  const cluster = two()
  const groups = { a: {}, b: {} }
  apply(
    cluster,
    { groups, rules: { near: { keepTogether: ['a', 'b'], hard: true } } },
    false,
    'c.yaml',
  )
  const far = { groups, rules: { far: { keepApart: ['a', 'b'], hard: true } } }
  const contradiction = refused(cluster, far)
  expect(contradiction.code).toBe('RULES_CONTRADICT')
  expect(contradiction.message).toContain('"near" (c.yaml:11)')
})

test('a refusal says where the rule was defined', () => {
  const cluster = two()
  const member = (name: string) => ({ resources: { [name]: process() } })
  const config = {
    groups: { a: member('x'), b: member('y') },
    rules: { far: { keepApart: ['a', 'b'], hard: true } },
  }
  apply(cluster, config, false, 'prod.yaml')
  const [a, b] = ['a', 'b'].map((name) =>
    [...cluster.state.hive.groups.values()].find((g) => g.name === name),
  )
  const request = { type: 'moveGroup', groupId: a?.id as string, to: b?.ownership.owner as string }
  const event = { type: 'requested', request, by: 'somebody' } as Event
  expect(step(cluster.state, event, cluster.nowMs).refused).toMatchObject({
    code: 'RULE_FORBIDS',
    message: expect.stringContaining('kept apart from b (rule far, prod.yaml:10)'),
  })
})
