/**
 * What would happen: the cluster's own decisions, played on from its state of now with hosts that do at
 * once what they are asked for. Nothing of it is kept, and nothing leaves.
 */
import type { SimulateAsk, SimulatedGroup, Simulation } from '../../schema/api/simulate.ts'
import type { Refusal } from '../../schema/errors.ts'
import type { Event } from '../../schema/event.ts'
import type { Group, Hive, Node } from '../../schema/hive.ts'
import { maintenanceOf } from '../../schema/maintenance.ts'
import { applyObservation } from '../../schema/observed.ts'
import type { StatusItem } from '../../schema/session.ts'
import { applyUpdate, type Update } from '../../schema/update.ts'
import { Census } from './census.ts'
import { cutOffHosts } from './cut-off.ts'
import type { ClusterState, Decision } from './decision.ts'
import { Draft } from './draft.ts'
import type { Footprint } from './footprint.ts'
import { Overlay } from './overlay.ts'
import { candidates } from './placement.ts'
import { step } from './step.ts'

/** Steps of one simulation; more, and it would never settle. */
const STEPS_MAX = 100_000
/** Long enough for every lease to have surely ended. */
const WAITED_MS = 10 * 60_000

/** @param ask with GUIDs in place of names */
export function whatIf(
  state: ClusterState,
  ask: SimulateAsk,
  nowMs: number,
  footprint?: Footprint,
): Simulation | { refused: Refusal } {
  const copy = copied(state, footprint)
  for (const event of eventsOf(copy, ask)) {
    const refused = play(copy, event, nowMs)
    if (refused) return { refused }
  }
  const cutOff = ask.what === 'partition' ? cutOffHosts(state, ask.nodes) : []
  return { groups: differences(state, copy, nowMs), restarts: restarts(state, copy), cutOff }
}

/** Where the groups of nodes would land if all of these were lost, and what could not start. */
export function lossOf(
  state: ClusterState,
  nodes: readonly string[],
  nowMs: number,
  footprint?: Footprint,
): SimulatedGroup[] {
  const lost = whatIf(state, { what: 'nodeDown', nodes: [...nodes] }, nowMs, footprint)
  return 'refused' in lost ? [] : lost.groups
}

/** The state in which the cluster would come to rest; the refusal of what was asked for. */
export function played(
  state: ClusterState,
  event: Event,
  nowMs: number,
): ClusterState | { refused: Refusal } {
  const copy = copied(state)
  const refused = play(copy, event, nowMs)
  return refused ? { refused } : copy
}

/** A state of its own that costs nothing to make: what changes in it is laid over what it was made from. */
interface Laid extends ClusterState {
  readonly hive: Hive & { readonly groups: Overlay<Group> }
}

/** Changes of it change nothing else; it must not outlive a change of what it was made from. */
export function copied({ hive, observed }: ClusterState, footprint?: Footprint): Laid {
  const { nodes, groups, resources, types, rules } = hive
  const ofGroup = footprint?.ofGroup
  const ofResource = footprint?.ofResource(resources)
  const laid = {
    ...{ ...hive, nodes: new Overlay(nodes), groups: new Overlay(groups, ofGroup) },
    ...{ resources: new Overlay(resources, ofResource) },
    ...{ types: new Overlay(types), rules: new Overlay(rules) },
  }
  const made: Laid = {
    hive: laid,
    observed: {
      resources: new Overlay(observed.resources, ofResource),
      offers: new Overlay(observed.offers, ofGroup),
      failbacks: new Overlay(observed.failbacks, ofGroup),
      waiting: new Overlay(observed.waiting, ofGroup),
      fencing: new Overlay(observed.fencing),
      drains: new Overlay(observed.drains),
    },
  }
  Census.copy({ hive, observed }, made, footprint)
  return made
}

function eventsOf({ hive }: ClusterState, ask: SimulateAsk): Event[] {
  switch (ask.what) {
    case 'nodeDown':
      return lost(hive, ask.nodes)
    case 'partition': {
      const taken = cutOffHosts({ hive }, ask.nodes).filter(({ does }) => does !== 'runsOn')
      const names = new Set(taken.map(({ node }) => node))
      return lost(
        hive,
        ask.nodes.filter((id) => names.has(hive.nodes.get(id)?.name ?? id)),
      )
    }
    case 'drain':
      return ask.nodes.map((nodeId) => asked({ type: 'drainNode', nodeId }))
    case 'fail':
      return [asked({ type: 'failoverGroup', groupId: ask.group })]
    case 'maintenanceOff':
      return [asked({ type: 'setMaintenance', scope: ask.scope, id: ask.name ?? '', on: null })]
    case 'move':
      return [asked({ type: 'moveGroup', groupId: ask.group, to: ask.to })]
  }
}

function lost(hive: Hive, nodes: readonly string[]): Event[] {
  return nodes.map((nodeId): Event => {
    const node = hive.nodes.get(nodeId)
    // As if whatever has to be confirmed about its loss had been.
    if (node?.under !== undefined) applyUpdate(hive, withoutPolicy(hive, node))
    const evidence = {
      path: 'pong' as const,
      waitedMs: WAITED_MS,
      lastAnswerMs: 0,
      closedMs: 0,
    }
    return { type: 'nodeLost', nodeId, evidence: { ...evidence, cause: 'silent' } }
  })
}

function withoutPolicy({ seq }: Hive, { under: _, ...node }: Node): Update {
  const because = { manager: 'NM' as const, code: 'policyTaken' }
  const change = { table: 'node' as const, id: node.id, value: node }
  return { seq: seq + 1, atMs: 0, change, because, correlationId: '' }
}

const asked = (request: Extract<Event, { type: 'requested' }>['request']): Event => ({
  ...{ type: 'requested', request, by: 'simulation' },
})

/** @returns the refusal of what was asked for */
function play(state: ClusterState, first: Event, nowMs: number): Refusal | null {
  const queue: Event[] = [first]
  for (let steps = 0; queue.length > 0; steps += 1) {
    if (steps > STEPS_MAX) throw new Error('the simulation does not settle')
    // The refusal of what was asked for names all who could have taken it.
    const isBrief = steps > 0 || first.type !== 'requested'
    const decision = step(state, queue.shift() as Event, nowMs, isBrief)
    if (decision.refused) return decision.refused
    for (const update of decision.updates) applyUpdate(state.hive, update)
    for (const o of decision.observations) applyObservation(state.observed, o)
    queue.push(...answersTo(state, decision))
  }
  return null
}

/** Offers are accepted, what is to stop has stopped, and what is to run is online. */
function answersTo(state: ClusterState, decision: Decision): Event[] {
  const { hive } = state
  const sessionOf = (nodeId: string) => hive.nodes.get(nodeId)?.session ?? 0
  const accepts = decision.effects.flatMap((effect): Event[] => {
    if (effect.type !== 'offer') return []
    const { nodeId, groupId, epoch } = effect
    return [{ type: 'offerAccepted', nodeId, groupId, epoch, session: sessionOf(nodeId) }]
  })
  const rest = decision.updates.flatMap(({ change }): Event[] => {
    if (change.table !== 'group' || !change.value) return []
    const { phase, owner: nodeId, epoch } = change.value.ownership
    if (phase === 'free') return []
    const session = sessionOf(nodeId)
    if (phase === 'owned')
      return [
        { type: 'resourceReported', nodeId, session, items: seen(state, change.value, epoch) },
      ]
    return [{ type: 'groupReleased', nodeId, groupId: change.id, epoch, session, why: 'asked' }]
  })
  return [...accepts, ...rest]
}

/** What is held back is not online. */
function seen(state: ClusterState, { id, waitsFor }: Group, epoch: number): StatusItem[] {
  const status = waitsFor ? 'offline' : 'online'
  return Census.of(state)
    .membersOf(id)
    .filter((resourceId) => state.hive.resources.get(resourceId)?.persistentState === 1)
    .map((resourceId) => ({ resourceId, epoch, status, restarts: 0, gaveUp: false }))
}

/** What its owner leaves alone now, and would start: it is there, wanted, and not online. */
function restarts(before: ClusterState, { hive }: ClusterState): Simulation['restarts'] {
  if (before.hive.cluster === hive.cluster) return []
  return [...hive.resources.values()].flatMap((r) => {
    const group = hive.groups.get(r.groupId)
    const { owner: nodeId, epoch } = group?.ownership ?? { owner: null }
    const seen = before.observed.resources.get(r.id)
    if (!group || nodeId === null || seen?.epoch !== epoch || r.persistentState === 0) return []
    const about = { nodeId, groupId: group.id, resourceId: r.id }
    const was = maintenanceOf(before.hive.cluster?.maintenance, about)
    const is = maintenanceOf(hive.cluster?.maintenance, about)
    if (!was || is || seen.status !== 'failed') return []
    return [{ resource: r.name, node: hive.nodes.get(nodeId)?.name ?? nodeId, status: seen.status }]
  })
}

function differences(before: ClusterState, after: Laid, nowMs: number): SimulatedGroup[] {
  const draft = new Draft(after, nowMs, '')
  const name = (id: string | null) => (id === null ? null : (after.hive.nodes.get(id)?.name ?? id))
  const place = (id: string) => draft.precedence.placeOf(id)
  const changed = [...after.hive.groups.changed].sort((a, b) => place(a) - place(b))
  return changed.flatMap((id): SimulatedGroup[] => {
    const group = draft.group(id)
    if (!group) return []
    const was = before.hive.groups.get(group.id)?.ownership
    const from = was?.owner ?? null
    const to = group.ownership.owner
    const waitsFor = (group.waitsFor ?? []).map((id) => draft.group(id)?.name ?? id)
    const waited = before.hive.groups.get(group.id)?.waitsFor !== undefined
    const stays = from === to && was?.epoch === group.ownership.epoch
    if (stays && waited === waitsFor.length > 0) return []
    const wanted = draft.resourcesOf(group.id).some((r) => r.persistentState === 1)
    const reasons = to === null ? [...candidates(draft, group).rejected] : []
    return [{ group: group.name, from: name(from), to: name(to), wanted, waitsFor, reasons }]
  })
}
