/** A cluster whose hosts do at once what they are asked for: the core alone, and what it decides. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { Event, Request } from '../../schema/event.ts'
import { emptyHive, type Node } from '../../schema/hive.ts'
import { applyObservation, emptyObserved } from '../../schema/observed.ts'
import type { Measured } from '../../schema/placement.ts'
import { applyUpdate } from '../../schema/update.ts'
import type { ClusterState, Decision } from '../../worker/core/decision.ts'
import { step } from '../../worker/core/step.ts'

export const id = (kind: number, n: number) =>
  `00000000-0000-4000-8000-${String(kind * 1_000 + n).padStart(12, '0')}`
export const NODE = 1
export const GROUP = 2
export const RESOURCE = 3
export const RULE = 4

export class Cluster {
  readonly state: ClusterState = { hive: emptyHive(), observed: emptyObserved() }
  readonly refused: string[] = []
  /** By the number of the node: what its host says to have. */
  readonly measured = new Map<number, Measured>()
  updates = 0
  nowMs = 1_000_000
  /** Looks at each decision before it is committed. */
  judge: ((event: Event, decision: Decision) => void) | null = null

  constructor(nodes: readonly Partial<Node>[]) {
    this.ask({ type: 'formCluster', clusterId: id(9, 1), name: 'prod', profile: 'standard' })
    for (const [n, node] of nodes.entries()) {
      const nodeId = id(NODE, n)
      this.ask({ type: 'joinNode', nodeId, name: `n${n}`, publicKey: 'A'.repeat(43) })
      const { capacity, measured } = node
      if (measured) this.measured.set(n, measured)
      if (capacity) this.ask({ type: 'changeNode', nodeId, capacity })
      this.report(n)
    }
  }

  report(n: number): void {
    const nodeId = id(NODE, n)
    const node = this.state.hive.nodes.get(nodeId)
    const session = (node?.session ?? 0) + 1
    const measured = this.measured.get(n)
    this.event({
      ...{ type: 'nodeReported', nodeId, session, bootId: `boot-${n}-${session}-aaaa` },
      ...{ guard: id(8, n), held: [], intents: [] },
      ...(measured && { measured }),
      types: ['process', 'virtual-machine'].map((type) => ({
        ...{ type, version: '1', sha256: '0'.repeat(64) },
      })),
    } as unknown as Event)
  }

  lose(n: number): void {
    this.event({
      ...{ type: 'nodeLost', nodeId: id(NODE, n) },
      evidence: {
        ...{ path: 'pong', waitedMs: 60_000, lastAnswerMs: 1, closedMs: 2, cause: 'silent' },
      },
    })
  }

  /** The owner of a group tells what its members are now, as what is wanted of them has changed. */
  settle(groupId: string): void {
    const { hive } = this.state
    const { ownership, waitsFor } = hive.groups.get(groupId) ?? {}
    if (ownership?.phase !== 'owned') return
    const { owner: nodeId, epoch } = ownership
    const session = hive.nodes.get(nodeId)?.session ?? 0
    const items = [...hive.resources.values()]
      .filter((r) => r.groupId === groupId)
      .map((r) => ({
        ...{ resourceId: r.id, epoch, restarts: 0, gaveUp: false },
        status: r.persistentState === 1 && !waitsFor ? ('online' as const) : ('offline' as const),
      }))
    this.event({ type: 'resourceReported', nodeId, session, items })
  }

  ask(request: Request): void {
    this.event({ type: 'requested', request, by: 'somebody' })
  }

  event(event: Event): void {
    const queue: Event[] = [event]
    for (let turns = 0; queue.length > 0; turns += 1) {
      if (turns > 3_000) throw new Error('it does not come to rest')
      this.nowMs += 10
      const next = queue.shift() as Event
      const decision = step(this.state, next, this.nowMs)
      this.judge?.(next, decision)
      this.apply(decision)
      queue.push(...answers(this.state, decision))
    }
  }

  apply(decision: Decision): void {
    if (decision.refused) this.refused.push(decision.refused.code)
    this.updates += decision.updates.length
    for (const update of decision.updates) applyUpdate(this.state.hive, update)
    for (const o of decision.observations) applyObservation(this.state.observed, o)
    // One commit: nobody sees what is between its updates.
    if (!this.judge) expect(broken(this.state)).toEqual([])
  }
}

/** Offers are accepted, what is to be stopped is, and what is to run does. */
function answers({ hive }: ClusterState, decision: Decision): Event[] {
  const accepts = decision.effects.flatMap((effect): Event[] => {
    if (effect.type !== 'offer') return []
    const { nodeId, groupId, epoch } = effect
    const session = hive.nodes.get(nodeId)?.session ?? 0
    return [{ type: 'offerAccepted', nodeId, groupId, epoch, session } as Event]
  })
  const releases = decision.updates.flatMap(({ change }): Event[] => {
    if (change.table !== 'group' || change.value?.ownership.phase !== 'releasing') return []
    const { owner: nodeId, epoch } = change.value.ownership
    const session = hive.nodes.get(nodeId)?.session ?? 0
    return [
      { type: 'groupReleased', nodeId, groupId: change.id, epoch, session, why: 'asked' } as Event,
    ]
  })
  const starts = decision.updates.flatMap(({ change }): Event[] => {
    if (change.table !== 'group' || change.value?.ownership.phase !== 'owned') return []
    const { owner: nodeId, epoch } = change.value.ownership
    const session = hive.nodes.get(nodeId)?.session ?? 0
    const items = [...hive.resources.values()]
      .filter((r) => r.groupId === change.id)
      .map((r) => ({
        ...{ resourceId: r.id, epoch, restarts: 0, gaveUp: false },
        status: r.persistentState === 1 && !change.value?.waitsFor ? 'online' : 'offline',
      }))
    return [{ type: 'resourceReported', nodeId, session, items } as unknown as Event]
  })
  return [...accepts, ...releases, ...starts]
}

/** What an owner may run now, by rules that are hard; what is being repaired is on its way out. */
function broken({ hive }: ClusterState): string[] {
  const wanted = new Set(
    [...hive.resources.values()].filter((r) => r.persistentState === 1).map((r) => r.groupId),
  )
  const placed = [...hive.groups.values()].filter(
    (g) => g.ownership.phase === 'owned' && wanted.has(g.id) && !g.waitsFor,
  )
  const said: string[] = []
  for (const rule of hive.rules.values()) {
    if (!rule.hard || rule.kind !== 'keepApart') continue
    const owners = placed.filter((g) => rule.groups.includes(g.id)).map((g) => g.ownership.owner)
    if (new Set(owners).size < owners.length) said.push(`${rule.name} is broken`)
  }
  for (const node of hive.nodes.values()) {
    const used = placed
      .filter((g) => g.ownership.owner === node.id)
      .reduce((all, g) => all + (g.needs?.['mem'] ?? 0), 0)
    if (used > (node.capacity?.['mem'] ?? Number.POSITIVE_INFINITY))
      said.push(`${node.name} is overcommitted by ${used}`)
  }
  return said
}

const groupPlan = fc.record({
  needs: fc.integer({ min: 0, max: 6 }),
  priority: fc.integer({ min: 0, max: 2 }),
  prefers: fc.option(fc.nat(4), { nil: null }),
  failback: fc.boolean(),
})
const action = fc.oneof(
  fc.record({ do: fc.constant('lose' as const), n: fc.nat(4) }),
  fc.record({ do: fc.constant('report' as const), n: fc.nat(4) }),
  fc.record({
    ...{ do: fc.constant('drain' as const), n: fc.nat(4) },
    ...{ to: fc.option(fc.nat(4)), within: fc.boolean() },
  }),
  fc.record({ do: fc.constant('resume' as const), n: fc.nat(4), now: fc.boolean() }),
  fc.record({ do: fc.constant('move' as const), n: fc.nat(7), to: fc.nat(4) }),
  fc.record({ do: fc.constant('failover' as const), n: fc.nat(7) }),
)
export const plan = fc.record({
  capacities: fc.array(fc.integer({ min: 4, max: 12 }), { minLength: 2, maxLength: 5 }),
  groups: fc.array(groupPlan, { minLength: 1, maxLength: 8 }),
  policy: fc.constantFrom('list' as const, 'least-active' as const, 'capacity' as const),
  rules: fc.array(
    fc.record({
      kind: fc.constantFrom('keepApart' as const, 'keepTogether' as const),
      hard: fc.boolean(),
      of: fc.uniqueArray(fc.nat(7), { minLength: 2, maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
  actions: fc.array(action, { maxLength: 12 }),
})
export type Plan = typeof plan extends fc.Arbitrary<infer P> ? P : never

export function form({ capacities, groups, policy, rules }: Plan): Cluster {
  const cluster = new Cluster(capacities.map((mem) => ({ capacity: { mem } })))
  cluster.ask({ type: 'setPlacement', placement: policy })
  const nodes = capacities.length
  for (const [n, group] of groups.entries())
    cluster.ask({
      ...{ type: 'createGroup', groupId: id(GROUP, n), name: `g${n}` },
      settings: {
        ...{ needs: { mem: group.needs }, priority: group.priority },
        ...(group.prefers !== null && { preferredOwners: [id(NODE, group.prefers % nodes)] }),
        ...(group.failback && { failback: { when: 'atOnce' as const } }),
      },
    })
  for (const [n, { kind, hard, of }] of rules.entries()) {
    const known = of.filter((g) => g < groups.length).map((g) => id(GROUP, g))
    if (known.length < 2) continue
    const rule = { ruleId: id(RULE, n), name: `rule${n}`, kind, hard, groups: known }
    cluster.ask({ type: 'createRule', ...rule })
  }
  for (const n of groups.keys())
    cluster.ask({
      ...{ type: 'createResource', resourceId: id(RESOURCE, n), groupId: id(GROUP, n) },
      ...{ name: `r${n}`, resourceType: 'process', persistentState: 1 },
      settings: { properties: { command: '/bin/true' } },
    })
  return cluster
}

export function act(cluster: Cluster, plan: Plan, one: Plan['actions'][number]): void {
  const nodes = plan.capacities.length
  const nodeId = id(NODE, one.n % nodes)
  const groupId = id(GROUP, one.n % plan.groups.length)
  switch (one.do) {
    case 'lose':
      return cluster.lose(one.n % nodes)
    case 'report':
      if (cluster.state.hive.nodes.get(nodeId)?.state === 'down') cluster.report(one.n % nodes)
      return
    case 'drain':
      return cluster.ask({
        ...{ type: 'drainNode', nodeId },
        ...(one.to !== null && { to: id(NODE, one.to % nodes) }),
        ...(one.within && { withinMs: 1_000 }),
      })
    case 'resume': {
      const failback = one.now ? 'now' : 'policy'
      return cluster.ask({ type: 'pauseNode', nodeId, paused: false, failback })
    }
    case 'move':
      return cluster.ask({ type: 'moveGroup', groupId, to: id(NODE, one.to % nodes) })
    case 'failover':
      return cluster.ask({ type: 'failoverGroup', groupId })
  }
}
