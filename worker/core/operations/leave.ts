/** `move`, `failover` and `failback` of one group, as they go (S-91). */
import type { OperationState } from '../../../schema/api/operations.ts'
import type { Group, Node } from '../../../schema/hive.ts'
import { Draft } from '../draft.ts'
import { whyNot } from '../placement.ts'
import { type Begun, type Facts, type LeaveRequest, sumOf, type Told, updatesOf } from './begun.ts'
import { type Leg, legOf, ownershipOf, stepsOf } from './leg.ts'

export function tellLeave(begun: Begun, verb: LeaveRequest, facts: Facts): Told {
  const trail = updatesOf(facts.updates, 'group', verb.groupId)
  const leg = legOf(facts, verb.groupId, trail)
  const group = facts.state.hive.groups.get(verb.groupId)
  const subject = { kind: 'group' as const, name: group?.name ?? leg?.group ?? verb.groupId }
  if (!leg)
    return {
      ...{ subject, state: 'problems', endedAtMs: begun.atMs, limitMs: null, cancel: null },
      ...{
        summary: `nothing is known any more of where ${subject.name} went`,
        groups: [],
        steps: [],
      },
    }
  const steps = stepsOf(leg, facts)
  const { from, to, state, outage } = leg
  const ends = endOf(begun, verb, leg, facts, group)
  return {
    subject,
    ...ends,
    limitMs: leg.episode.left && carries(leg) ? null : sumOf(steps.map((s) => s.limitMs)),
    cancel: ends.endedAtMs === null && verb.type !== 'failoverGroup' ? undoing(facts, group) : null,
    groups: [{ group: leg.group, from, to, state, outage }],
    steps,
  }
}

interface Ends {
  readonly state: OperationState
  readonly endedAtMs: number | null
  readonly summary: string
}

function endOf(
  begun: Begun,
  verb: LeaveRequest,
  leg: Leg,
  facts: Facts,
  group: Group | undefined,
): Ends {
  const trail = updatesOf(facts.updates, 'group', verb.groupId)
  const { owned } = leg.episode
  const other = trail.find(
    (u) => u.seq > begun.seq && (!owned || u.seq < owned.seq) && redirects(u.because.code),
  )
  const source = leg.from ?? 'no node'
  if (other) {
    const cancelled = other.because.evidence?.['operation'] === begun.id
    const by = other.because.evidence?.['by'] ?? 'an operator'
    return cancelled
      ? {
          state: 'cancelled',
          endedAtMs: other.atMs,
          summary: `cancelled by ${by}: ${leg.group} goes back to ${source}`,
        }
      : {
          state: 'superseded',
          endedAtMs: other.atMs,
          summary: `${by} has sent ${leg.group} elsewhere since`,
        }
  }
  const { detail, endMs: endedAtMs, to } = leg
  switch (leg.state) {
    case 'done':
      return doneOn(verb, leg, facts)
    case 'failed':
      return { state: 'problems', endedAtMs, summary: `group ${leg.group}: ${detail}` }
    case 'waiting':
      return { state: 'waiting', endedAtMs, summary: `group ${leg.group} waits: ${detail}` }
    case 'pending':
    case 'running': {
      const away = group && ownershipOf(trail.at(-1))?.phase === 'releasing'
      const where = owned ? `starts on ${to}` : away ? `leaves ${source}` : 'is on no node yet'
      return { state: 'running', endedAtMs: null, summary: `group ${leg.group} ${where}` }
    }
  }
}

/** It came to rest; perhaps not where it was to go. */
function doneOn(verb: LeaveRequest, leg: Leg, { state }: Facts): Ends {
  const { group, from, to, endMs: endedAtMs } = leg
  const wanted = verb.type === 'moveGroup' ? verb.to : null
  const there = `group ${group} moved from ${from ?? 'no node'} to ${to}`
  if (wanted === null || wanted === leg.toId) return { state: 'done', endedAtMs, summary: there }
  const name = state.hive.nodes.get(wanted)?.name ?? wanted
  return { state: 'problems', endedAtMs, summary: `${there}: ${name} could not take it` }
}

const redirects = (code: string): boolean =>
  code === 'operatorMove' || code === 'moveCancelled' || code === 'groupDeleted'

const carries = ({ episode }: Leg): boolean => {
  const ownership = ownershipOf(episode.left)
  return ownership?.phase === 'releasing' && ownership.carry !== undefined
}

/** @returns what a cancel would do, or null: it cannot be taken back any more */
function undoing(facts: Facts, group: Group | undefined): string | null {
  if (!group) return null
  const home = homeOf(new Draft(facts.state, facts.nowMs, ''), group)
  return typeof home === 'string' ? null : `${group.name} comes back up on ${home.name}`
}

/** Where a group that is leaving was, if it may still come back there; or in words why not. */
export function homeOf(draft: Draft, group: Group): Node | string {
  const { ownership } = group
  switch (ownership.phase) {
    case 'owned':
      return 'it is at its new place already'
    case 'free':
      if (ownership.copy) return 'its state has travelled already'
      break
    case 'releasing':
      if (ownership.carry) return 'its state is travelling'
      if (ownership.reason !== 'move' && ownership.reason !== 'failback')
        return 'it leaves for another reason than a move'
      break
  }
  const id = ownership.phase === 'free' ? ownership.lastOwner : ownership.owner
  const node = id === null ? undefined : draft.node(id)
  if (!node) return 'it was on no node before'
  const against = whyNot(draft, group, node)
  return against === null ? node : `${node.name} cannot have it: ${against}`
}
