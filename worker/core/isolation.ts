/** S-29, S-32: resources whose module takes its resource monitor along run in one of their own. */
import type { Event } from '../../schema/event.ts'
import type { Resource } from '../../schema/hive.ts'
import { ISOLATIONS_FORGOTTEN_MS } from '../../schema/isolation.ts'
import type { Draft } from './draft.ts'

type Of<T extends Event['type']> = Extract<Event, { type: T }>

/** Alone from now on, on every node, until it has been well for long enough or an operator says so. */
export function isolateResources(
  draft: Draft,
  { nodeId, resources, incident }: Of<'resourcesIsolated'>,
): void {
  const { detail } = incident
  for (const id of resources) {
    const resource = draft.resource(id)
    if (!resource) continue
    draft.evidence.push({ resourceId: id, nodeId, what: incident })
    if (resource.separateMonitor) continue
    const isolated = { node: nodeId, atMs: draft.nowMs, detail }
    const isolations = { times: timesInARow(resource, draft.nowMs) + 1, atMs: draft.nowMs }
    draft.put(
      {
        table: 'resource',
        id,
        value: { ...resource, separateMonitor: true, isolated, isolations },
      },
      {
        manager: 'RCM',
        code: 'resourceIsolated',
        rule: 'S-32',
        evidence: { node: nameOf(draft, nodeId), detail },
      },
    )
  }
}

function timesInARow({ isolations }: Resource, nowMs: number): number {
  if (!isolations || nowMs - isolations.atMs > ISOLATIONS_FORGOTTEN_MS) return 0
  return isolations.times
}

/** On trial among the others: if it takes them along again it is alone for twice as long. */
export function releaseResources(
  draft: Draft,
  { nodeId, resources }: Of<'resourcesWellAlone'>,
): void {
  for (const id of resources) {
    const resource = draft.resource(id)
    // What an operator wants alone stays so.
    if (!resource?.isolated) continue
    const { isolated, ...rest } = resource
    draft.put(
      { table: 'resource', id, value: { ...rest, separateMonitor: false } },
      {
        manager: 'RCM',
        code: 'resourceReleased',
        rule: 'S-32',
        evidence: { node: nameOf(draft, nodeId), aloneMs: draft.nowMs - isolated.atMs },
      },
    )
  }
}

const nameOf = (draft: Draft, nodeId: string) => draft.node(nodeId)?.name ?? nodeId
