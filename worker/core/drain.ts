/** S-18: a node is emptied for work on its host: every group leaves it by the best way there is. */
import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import type { Group, Node } from '../../schema/hive.ts'
import { instantText } from '../../schema/instant-text.ts'
import type { DrainPlan } from '../../schema/observed.ts'
import { bestCarry } from './carrying.ts'
import { couldMakeRoom } from './displacement.ts'
import type { Draft } from './draft.ts'
import { whyNotAny } from './eligibility.ts'
import { ownedBy } from './membership-manager.ts'
import { candidates } from './placement.ts'
import { codeOfNode, findNode, isRefusal } from './refusals.ts'
import { beginRelease } from './releases.ts'

type Of<T extends Request['type']> = Extract<Request, { type: T }>

export function drainNode(draft: Draft, r: Of<'drainNode'>, by: string): Refusal | null {
  const node = findNode(draft, r.nodeId)
  if (isRefusal(node)) return node
  const to = r.to == null ? null : findNode(draft, r.to)
  if (to && isRefusal(to)) return to
  const refused = to && refuseTarget(draft, node, to)
  if (refused) return refused
  if (node.draining) return replan(draft, node, r)
  const value: Node = { ...node, paused: true, draining: { sinceMs: draft.nowMs, by } }
  draft.put(
    { table: 'node', id: node.id, value },
    {
      manager: 'NM',
      code: 'nodeDrained',
      rule: 'S-18',
      evidence: { by, ...(to && { to: to.name }), ...(r.withinMs && { withinMs: r.withinMs }) },
    },
  )
  setPlan(draft, node.id, planOf(r, null, draft.nowMs))
  for (const group of ownedBy(draft, node.id)) sayIfStuck(draft, group, node)
  return null
}

/** What nothing is said of stays as it was. */
function planOf(
  { to, withinMs }: Of<'drainNode'>,
  was: DrainPlan | null,
  nowMs: number,
): DrainPlan | null {
  const untilMs = withinMs == null ? null : nowMs + withinMs
  const time = withinMs === undefined ? was : { untilMs, isLate: false }
  const plan = {
    ...{ untilMs: time?.untilMs ?? null, isLate: time?.isLate ?? false },
    to: to === undefined ? (was?.to ?? null) : to,
  }
  return plan.untilMs === null && plan.to === null ? null : plan
}

function setPlan(draft: Draft, nodeId: string, value: DrainPlan | null): void {
  if (value || draft.drain(nodeId)) draft.observe({ table: 'drain', id: nodeId, value })
}

/** It is drained already. */
function replan(draft: Draft, node: Node, r: Of<'drainNode'>): null {
  if (r.to === undefined && r.withinMs === undefined) return null
  const plan = planOf(r, draft.drain(node.id) ?? null, draft.nowMs)
  setPlan(draft, node.id, plan)
  const until = plan?.untilMs == null ? 'no deadline' : `by ${instantText(plan.untilMs)}`
  const to = plan?.to == null ? '' : `, ${draft.node(plan.to)?.name} is asked first`
  draft.log({ component: 'NM', message: `drain of ${node.name}: ${until}${to}` })
  return null
}

function refuseTarget(draft: Draft, node: Node, to: Node): Refusal | null {
  const why = to.id === node.id ? 'it is the one that is drained' : whyNotAny(draft, to)
  if (why === null) return null
  return {
    code: to.id === node.id ? 'ALREADY_THERE' : codeOfNode(to),
    message: `cannot drain ${node.name} to ${to.name}: ${why}`,
    why: 'Nothing was begun. The target has to be another node, that takes groups now.',
    remedy: `Let each group go where it may: holdfast node drain ${node.name}`,
  }
}

/** In the step that sees it, once: what is left of the node goes by stop and start. */
export function endDrainTimes(draft: Draft): void {
  for (const [id, plan] of draft.drains()) {
    const node = draft.node(id)
    // Ended by a Worker that knows of no plans.
    if (!node?.draining) draft.observe({ table: 'drain', id, value: null })
    else if (!plan.isLate && plan.untilMs !== null && plan.untilMs <= draft.nowMs)
      endTime(draft, node, plan)
  }
}

function endTime(draft: Draft, node: Node, plan: DrainPlan): void {
  draft.observe({ table: 'drain', id: node.id, value: { ...plan, isLate: true } })
  const left = ownedBy(draft, node.id).filter(({ ownership }) => ownership.phase === 'owned')
  if (left.length === 0) return
  const names = left.map(({ name }) => name).join(', ')
  const message = `the time for the drain of ${node.name} is over; what is left goes by stop and start: ${names}`
  draft.log({ component: 'NM', message })
}

/** What was said of how it goes is over with it. */
export function forgetDrain(draft: Draft, nodeId: string): void {
  setPlan(draft, nodeId, null)
}

/** Said once; that it still stays is shown by `holdfast why`. */
function sayIfStuck(draft: Draft, group: Group, node: Node): void {
  const found = candidates(draft, group, { without: node.id })
  if (found.eligible.length > 0) return
  const why = found.rejected.map((r) => `${r.node} ${r.reason}`).join('; ')
  draft.log({
    component: 'FM',
    groupId: group.id,
    message: `group ${group.name} stays on ${node.name}, which is drained, until another node can take it: ${why}`,
  })
}

/**
 * Takes an owned group from a node that is drained, if another can have it. One live move at a time: each
 * has the network and the target to itself. Once the time for it is over nothing travels that has not begun
 * to: a stop is sure to end.
 *
 * @returns whether it leaves
 */
export function leaveDrained(draft: Draft, group: Group): boolean {
  const owner = draft.node(group.ownership.owner ?? '')
  if (group.ownership.phase !== 'owned' || !owner?.draining || owner.state !== 'up') return false
  draft.staysRestless(group.id)
  const { to = null, isLate = false } = draft.drain(owner.id) ?? {}
  const question = { without: owner.id, first: to }
  const found = candidates(draft, group, question)
  if (found.eligible.length === 0 && !couldMakeRoom(draft, group, question)) return false
  const { carry } = isLate ? {} : bestCarry(draft, group)
  if (carry?.method === 'live' && movesLive(draft, owner)) return false
  beginRelease(
    draft,
    { ...group, drained: { from: owner.id, back: 'unsaid' } },
    { reason: 'move', to, ...(carry && { carry }) },
    {
      manager: 'FM',
      code: 'nodeDrained',
      rule: 'S-18',
      evidence: {
        ...{ node: owner.name, method: carry?.method ?? 'stop' },
        ...(isLate && { because: 'the time for it is over' }),
      },
    },
  )
  return true
}

const movesLive = (draft: Draft, owner: Node): boolean =>
  draft.groups().some(({ ownership }) => {
    const leaves = ownership.phase === 'releasing' && ownership.owner === owner.id
    return leaves && ownership.carry?.method === 'live'
  })

/** What becomes of the groups that left a node when it was drained: back now, by their policy, or not at all. */
export function resumeDrained(
  draft: Draft,
  nodeId: string,
  failback: 'now' | 'policy' | 'never',
): void {
  for (const group of draft.groups()) {
    if (group.drained?.from !== nodeId) continue
    const { drained: _, ...rest } = group
    const value =
      failback === 'policy' ? rest : { ...rest, drained: { from: nodeId, back: failback } }
    draft.put(
      { table: 'group', id: group.id, value },
      { manager: 'FM', code: 'nodeResumed', rule: 'S-18', evidence: { failback } },
    )
  }
}
