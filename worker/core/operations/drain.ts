/** A node that is emptied, group by group (S-18). */
import type { OperationState, OperationStep } from '../../../schema/api/operations.ts'
import { instantText } from '../../../schema/instant-text.ts'
import type { Update } from '../../../schema/update.ts'
import { Draft } from '../draft.ts'
import { candidates } from '../placement.ts'
import { type Begun, type DrainRequest, type Facts, sumOf, type Told, updatesOf } from './begun.ts'
import { before, type Leg, legOf, membersOf } from './leg.ts'

export function tellDrain(begun: Begun, verb: DrainRequest, facts: Facts): Told {
  const { hive } = facts.state
  const nodes = updatesOf(facts.updates, 'node', verb.nodeId)
  const end = nodes.find((u) => u.change.table === 'node' && !u.change.value?.draining)
  const name = hive.nodes.get(verb.nodeId)?.name ?? nameOf(nodes) ?? verb.nodeId
  const subject = { kind: 'node' as const, name }
  const leaving = wasOn(facts, verb.nodeId).map((one) => withEnd(facts, one, verb.nodeId, end))
  const steps = leaving.map(({ step }) => step)
  const over = steps.filter(({ state }) => state === 'done' || state === 'failed')
  const lastMs = leaving.reduce((ms, { leg }) => Math.max(ms, leg?.endMs ?? 0), begun.atMs)
  return {
    subject,
    ...stateOf({ name, steps, over: over.length, end, lastMs, by: byWhen(facts, verb) }),
    limitMs: sumOf(steps.map((s) => s.limitMs)),
    cancel:
      end || over.length === steps.length
        ? null
        : `what has not left ${name} stays there, and it takes groups again`,
    groups: leaving.map(({ leg, step }) => ({
      group: step.subject,
      from: name,
      to: leg?.to ?? null,
      state: step.state,
      outage: leg?.outage ?? null,
    })),
    steps,
  }
}

/** As it was asked for last. */
function byWhen({ state }: Facts, { nodeId }: DrainRequest): string {
  const { untilMs = null, isLate } = state.observed.drains.get(nodeId) ?? {}
  if (untilMs === null) return ''
  return isLate
    ? '; the time for it is over, so by stop and start'
    : `; by stop and start from ${instantText(untilMs)} on`
}

interface Leaving {
  readonly groupId: string
  readonly name: string
  /** Null: it is where it was. */
  readonly leg: Leg | null
}

/** What the node had when it began, as the updates since then tell. */
function wasOn(facts: Facts, nodeId: string): Leaving[] {
  const byGroup = Map.groupBy(
    facts.updates.filter((u) => u.change.table === 'group'),
    (u) => u.change.id,
  )
  const ids = new Set([...byGroup.keys(), ...facts.state.hive.groups.keys()])
  return [...ids].flatMap((groupId): Leaving[] => {
    const trail = byGroup.get(groupId) ?? []
    const group = facts.state.hive.groups.get(groupId)
    const [first] = trail
    const owner = first ? before(first)?.owner : group?.ownership.owner
    if (owner !== nodeId) return []
    const leg = legOf(facts, groupId, trail)
    return [{ groupId, name: group?.name ?? leg?.group ?? groupId, leg }]
  })
}

function withEnd(facts: Facts, one: Leaving, nodeId: string, end: Update | undefined) {
  const { groupId, name, leg } = one
  const common = { what: 'leave' as const, subject: name }
  // What left after the end has nothing to do with it.
  if (leg && !(end && leg.fromMs > end.atMs)) {
    const { fromMs, endMs, state, detail, to: node, limitMs } = leg
    const ms = Math.max(0, (endMs ?? facts.nowMs) - fromMs)
    return { leg, step: { ...common, node, state, fromMs, ms, limitMs, detail } }
  }
  const members = membersOf(facts, groupId).filter((r) => r.persistentState === 1)
  const detail = end ? null : whyStays(facts, groupId, nodeId)
  const step: OperationStep = {
    ...{ ...common, node: null, fromMs: null, ms: null, detail },
    state: detail === null ? 'pending' : 'waiting',
    limitMs: detail === null ? members.reduce((sum, r) => sum + 2 * r.poll.pendingMs, 0) : null,
  }
  return { leg: null, step }
}

/** Null: somebody could take it, and its turn is still to come. */
function whyStays({ state, nowMs }: Facts, groupId: string, nodeId: string): string | null {
  const draft = new Draft(state, nowMs, '')
  const group = draft.group(groupId)
  if (!group) return null
  const found = candidates(draft, group, { without: nodeId })
  if (found.eligible.length > 0) return null
  return found.rejected.map(({ node, reason }) => `${node} ${reason}`).join('; ') || 'no other node'
}

interface Counted {
  readonly name: string
  readonly steps: readonly OperationStep[]
  readonly over: number
  readonly end: Update | undefined
  readonly lastMs: number
  /** Until when it has time, in words; empty: as long as it takes. */
  readonly by: string
}

function stateOf({ name, steps, over, end, lastMs, by: when }: Counted): {
  state: OperationState
  endedAtMs: number | null
  summary: string
} {
  const of = steps.length === 1 ? '1 group' : `${steps.length} groups`
  const named = (state: OperationStep['state']) =>
    steps.filter((s) => s.state === state).map((s) => s.subject)
  const bad = named('failed')
  if (over === steps.length && (!end || lastMs <= end.atMs)) {
    const not = bad.length > 0 ? `, not well: ${bad.join(', ')}` : ''
    const summary = `node ${name} is drained: ${of} elsewhere${not}`
    return { state: bad.length > 0 ? 'problems' : 'done', endedAtMs: lastMs, summary }
  }
  if (end) {
    const by = end.because.evidence?.['by'] ?? 'an operator'
    const summary = `cancelled by ${by}: ${over} of ${of} had left ${name}`
    return { state: 'cancelled', endedAtMs: end.atMs, summary }
  }
  const stuck = named('waiting')
  const left = steps.length - over
  if (stuck.length === left)
    return {
      state: 'waiting',
      endedAtMs: null,
      summary: `node ${name} still has ${stuck.join(', ')}: no other node can take it now`,
    }
  return { state: 'running', endedAtMs: null, summary: `${over} of ${of} have left ${name}${when}` }
}

function nameOf(updates: readonly Update[]): string | null {
  const known = updates.find((u) => u.change.table === 'node' && u.change.value)
  return known?.change.table === 'node' ? (known.change.value?.name ?? null) : null
}
