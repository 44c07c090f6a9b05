import type { Refusal } from '../../schema/errors.ts'
import type { GroupSettings, Request } from '../../schema/event.ts'
import type { Group, Node } from '../../schema/hive.ts'
import { LIMITS } from '../../schema/limits.ts'
import { DEFAULT_FAILOVER_PERIOD_MS } from '../../schema/resource-types/index.ts'
import { carryFor } from './carrying.ts'
import type { Draft } from './draft.ts'
import { whyNotItself } from './eligibility.ts'
import { refuseOrder, refuseWhileNeeded } from './group-order.ts'
import { whyNotBeside } from './neighbours.ts'
import { candidates, recentFailovers } from './placement.ts'
import { operatorWants } from './rcm.ts'
import {
  busy,
  codeOfNode,
  findGroup,
  findNode,
  isRefusal,
  limitReached,
  nameTaken,
  unknownNode,
} from './refusals.ts'
import { beginRelease, removeGroup } from './releases.ts'
import { moved as asMoved } from './sticks.ts'

type Of<T extends Request['type']> = Extract<Request, { type: T }>

export function createGroup(draft: Draft, r: Of<'createGroup'>, by: string): Refusal | null {
  const groups = draft.groups()
  if (groups.length >= LIMITS.groupsMax) return limitReached('groups', LIMITS.groupsMax)
  const taken = nameTaken('group', r.name, groups)
  if (taken) return taken
  const unknown = unknownNode(draft, r.settings.preferredOwners)
  if (unknown) return unknown
  const value: Group = {
    id: r.groupId,
    name: r.name,
    ownership: {
      phase: 'free',
      owner: null,
      epoch: 0,
      lastOwner: null,
      to: null,
      reason: 'created',
      correlationId: draft.cause,
    },
    preferredOwners: [],
    failoverThreshold: null,
    failoverPeriodMs: DEFAULT_FAILOVER_PERIOD_MS,
    failovers: [],
    createdAtMs: draft.nowMs,
    ...given(r.settings),
  }
  const refused = refuseOrder(draft, value)
  if (refused) return refused
  draft.put(
    { table: 'group', id: r.groupId, value },
    { manager: 'RCM', code: 'groupCreated', evidence: { by } },
  )
  return null
}

export function changeGroup(draft: Draft, r: Of<'changeGroup'>, by: string): Refusal | null {
  const group = findGroup(draft, r.groupId)
  if (isRefusal(group)) return group
  const { name } = r
  const others = draft.groups().filter((g) => g.id !== group.id)
  const taken = name ? nameTaken('group', name, others) : null
  if (taken) return taken
  const unknown = unknownNode(draft, r.settings.preferredOwners)
  if (unknown) return unknown
  const value: Group = { ...group, ...(name && { name }), ...given(r.settings) }
  const refused = refuseOrder(draft, value)
  if (refused) return refused
  draft.put(
    { table: 'group', id: group.id, value },
    { manager: 'RCM', code: 'groupChanged', evidence: { by } },
  )
  return null
}

export function deleteGroup(draft: Draft, r: Of<'deleteGroup'>, by: string): Refusal | null {
  const group = findGroup(draft, r.groupId)
  if (isRefusal(group)) return group
  const members = draft.resourcesOf(group.id)
  if (members.length > 0)
    return {
      code: 'GROUP_NOT_EMPTY',
      message: `group "${group.name}" still has ${members.map((m) => m.name).join(', ')}`,
      remedy: `Remove them first: holdfast resource delete ${members[0]?.name}`,
    }
  const needed = refuseWhileNeeded(draft, group)
  if (needed) return needed
  const because = { manager: 'RCM' as const, code: 'groupDeleted', evidence: { by } }
  const { ownership } = group
  if (ownership.phase === 'free') removeGroup(draft, group, because)
  else if (ownership.phase === 'owned')
    beginRelease(draft, group, { reason: 'delete', to: null }, because)
  else if (ownership.reason !== 'delete') return busy(draft, group, ownership)
  return null
}

/** PersistentState of every member (S-67): the intent of the group is that of its resources. */
export function setGroupState(draft: Draft, r: Of<'setGroupState'>, by: string): Refusal | null {
  const group = findGroup(draft, r.groupId)
  if (isRefusal(group)) return group
  for (const member of draft.resourcesOf(group.id))
    operatorWants(draft, member, r.persistentState, { by })
  return null
}

/** Planned, graceful move (S-91). Leaves no rule behind unless it is asked to, and then one that ends. */
export function moveGroup(draft: Draft, r: Of<'moveGroup'>, by: string): Refusal | null {
  const group = findGroup(draft, r.groupId)
  if (isRefusal(group)) return group
  const to = r.to === null ? null : findNode(draft, r.to)
  if (to !== null && isRefusal(to)) return to
  const { ownership } = group
  if (ownership.phase === 'releasing') return busy(draft, group, ownership)
  if (to && ownership.owner === to.id) return stayThere(draft, r, group, to, by)
  const refused = to ? refuseTarget(draft, group, to) : refuseAnywhere(draft, group)
  if (refused) return refused
  // What was said on resuming a node is about where it was before.
  const { drained: _, ...rest } = group
  const moved = asMoved(draft, r, by, rest)
  const because = {
    manager: 'FM' as const,
    code: 'operatorMove',
    rule: 'S-91',
    evidence: { by, to: to?.name ?? 'best possible node' },
  }
  if (ownership.phase === 'owned') {
    const carry = r.mid === undefined ? null : carryFor(draft, group, r.method ?? 'stop', r.mid)
    if (typeof carry === 'string') return cannotTravel(group, r.method ?? 'stop', carry)
    beginRelease(
      draft,
      moved,
      { reason: 'move', to: to?.id ?? null, ...(carry && { carry }) },
      carry ? { ...because, evidence: { ...because.evidence, method: carry.method } } : because,
    )
  } else {
    // Who was asked before is not where it is wanted now.
    if (draft.offer(group.id)) draft.observe({ table: 'offer', id: group.id, value: null })
    draft.put(
      {
        table: 'group',
        id: group.id,
        value: { ...moved, ownership: { ...ownership, to: to?.id ?? null } },
      },
      because,
    )
  }
  return null
}

/** It is there already: that it is to stay can be said all the same. */
function stayThere(
  draft: Draft,
  r: Of<'moveGroup'>,
  group: Group,
  to: Node,
  by: string,
): Refusal | null {
  if (!r.stick)
    return {
      code: 'ALREADY_THERE',
      message: `group "${group.name}" is already on ${to.name}`,
      remedy: 'Nothing to do.',
    }
  draft.put(
    { table: 'group', id: group.id, value: asMoved(draft, r, by, group) },
    { manager: 'FM', code: 'stuck', rule: 'S-91', evidence: { by, node: to.name } },
  )
  return null
}

function cannotTravel(group: Group, method: string, why: string): Refusal {
  return {
    code: 'METHOD_NOT_POSSIBLE',
    message: `group "${group.name}" cannot move by method ${method}`,
    why,
    remedy: `Let the method be chosen: holdfast move ${group.name} --method auto`,
  }
}

function refuseTarget(draft: Draft, group: Group, to: Node): Refusal | null {
  const question = { without: group.ownership.owner }
  const itself = whyNotItself(draft, group, to, question)
  const reason = itself ?? whyNotBeside(draft, group, to, question)
  if (reason === null) return null
  const others = candidates(draft, group, question).eligible
  return {
    code: itself === null ? 'RULE_FORBIDS' : codeOfNode(to),
    message: `cannot move ${group.name} to ${to.name}: ${reason}`,
    remedy: others[0]
      ? `It could go to ${others.map((n) => n.name).join(', ')}: holdfast move ${group.name} --to ${others[0].name}`
      : `No other node can take it now: holdfast status ${group.name}`,
  }
}

function refuseAnywhere(draft: Draft, group: Group): Refusal | null {
  const found = candidates(draft, group, { without: group.ownership.owner })
  if (found.eligible.length > 0) return null
  return {
    code: 'NO_ELIGIBLE_NODE',
    message: `no other node can take group "${group.name}"`,
    why: found.rejected.map((x) => `${x.node}: ${x.reason}`).join('; '),
    remedy: 'Resume a paused node, bring one up, or widen the possible owners.',
  }
}

function given(settings: GroupSettings) {
  return {
    ...(settings.preferredOwners !== undefined && { preferredOwners: settings.preferredOwners }),
    ...(settings.failoverThreshold !== undefined && {
      failoverThreshold: settings.failoverThreshold,
    }),
    ...(settings.failoverPeriodMs !== undefined && {
      failoverPeriodMs: settings.failoverPeriodMs,
    }),
    ...(settings.failback !== undefined && { failback: settings.failback }),
    ...(settings.priority !== undefined && { priority: settings.priority }),
    ...(settings.needs !== undefined && { needs: settings.needs }),
    ...(settings.source !== undefined && { source: settings.source }),
    ...(settings.after !== undefined && { after: settings.after }),
    ...(settings.onlyWhile !== undefined && { onlyWhile: settings.onlyWhile }),
  }
}

/** S-91: as if it had failed where it is: counted, and gone from there at once. */
export function failoverGroup(draft: Draft, r: Of<'failoverGroup'>, by: string): Refusal | null {
  const group = findGroup(draft, r.groupId)
  if (isRefusal(group)) return group
  const { ownership } = group
  if (ownership.phase === 'releasing') return busy(draft, group, ownership)
  if (ownership.phase === 'free')
    return {
      code: 'NOT_OWNED',
      message: `group "${group.name}" is on no node, so it cannot fail over`,
      remedy: `See what keeps it from coming up: holdfast why ${group.name}`,
    }
  const refused = refuseAnywhere(draft, group)
  if (refused) return refused
  const failed = { atMs: draft.nowMs, nodeId: ownership.owner }
  beginRelease(
    draft,
    { ...group, failovers: [...recentFailovers(draft, group), failed] },
    { reason: 'failover', to: null },
    { manager: 'FM', code: 'operatorFailover', rule: 'S-91', evidence: { by } },
  )
  return null
}
