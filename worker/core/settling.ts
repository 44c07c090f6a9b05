/**
 * Which groups have to be looked at: those that something has happened to, those that look at these, and
 * those that would do something if they could. All others are at rest, and a look at them would change
 * nothing (shown by test/unit/settling.test.ts against looks at all of them).
 */
import { LIMITS } from '../../schema/limits.ts'
import type { Draft } from './draft.ts'
import { isOvercommitted } from './neighbours.ts'

type Look = (draft: Draft, groupId: string) => void

/** Looks at groups, in their order, until a round has changed nothing. */
export function settle(draft: Draft, look: Look): void {
  const { census } = draft
  const restless = new Map<string, boolean>()
  const all = census.allUnsettled || draft.touchedAll
  let pending = all
    ? null
    : affected(
        draft,
        [...census.unsettled, ...draft.touched],
        [...census.unsettledNodes, ...draft.touchedNodes],
      )
  if (pending) for (const id of census.restless) pending.add(id)
  for (let round = 0; ; round += 1) {
    if (round >= LIMITS.stepRoundsMax) throw new Error('step does not settle')
    const before = draft.updates.length
    lookAt(draft, pending, (id) => {
      look(draft, id)
      restless.set(id, isRestless(draft, id))
    })
    if (draft.updates.length === before) break
    if (draft.touchedAll) pending = null
    else if (pending) {
      pending = affected(draft, draft.touched, draft.touchedNodes)
      for (const id of census.restless) pending.add(id)
      for (const [id, is] of restless) if (is) pending.add(id)
    }
  }
  remember(draft, all, restless)
}

/** @param pending null: all */
function lookAt(draft: Draft, pending: ReadonlySet<string> | null, look: (id: string) => void) {
  const { precedence } = draft
  if (!pending) {
    for (const id of precedence.ordered) if (draft.group(id)) look(id)
    return
  }
  const place = (id: string) => precedence.placeOf(id)
  const queue = [...pending].sort((a, b) => place(a) - place(b))
  const queued = new Set(queue)
  for (let at = 0; at < queue.length; at += 1) {
    const id = queue[at] as string
    if (!draft.group(id)) continue
    const known = draft.touchLog.length
    const nodes = draft.touchedNodes.size
    look(id)
    if (draft.touchedAll) {
      const rest = precedence.ordered.slice(place(id) + 1)
      for (const later of rest) if (draft.group(later)) look(later)
      return
    }
    // Those that come before it are looked at in the next round, if there is one.
    const touchedNodes = draft.touchedNodes.size > nodes ? draft.touchedNodes : []
    for (const other of affected(draft, draft.touchLog.slice(known), touchedNodes)) {
      if (queued.has(other) || place(other) <= place(id)) continue
      queued.add(other)
      const end = queue.findIndex((one, n) => n > at && place(one) > place(other))
      queue.splice(end < 0 ? queue.length : end, 0, other)
    }
  }
}

/**
 * Groups that look at one of these when they are looked at: itself, what rules, order and room tie it to;
 * and of a node what is there, and whatever has to follow others to where they are.
 */
export function affected(
  draft: Draft,
  groupIds: Iterable<string>,
  nodeIds: Iterable<string>,
): Set<string> {
  const out = new Set<string>()
  const nodes = new Set<string>()
  for (const id of nodeIds) {
    for (const owned of draft.census.ownedBy(id)) out.add(owned)
    for (const { group } of draft.seats.at(id)) out.add(group.id)
    for (const rule of draft.rules())
      if (rule.hard && rule.kind === 'keepTogether') for (const one of rule.groups) out.add(one)
  }
  for (const id of groupIds) {
    out.add(id)
    for (const dependent of draft.dependentsOf(id)) out.add(dependent)
    for (const mate of matesOf(draft, id))
      for (const rule of draft.rulesOf(mate))
        for (const other of rule.groups) for (const one of matesOf(draft, other)) out.add(one)
    const seat = draft.seats.of(id)
    for (const node of [seat?.here, seat?.bound]) if (node) nodes.add(node)
  }
  // Where there is room for all, nobody has to make any; who waits for room is restless.
  for (const id of nodes) {
    const node = draft.node(id)
    if (node && isOvercommitted(draft, node))
      for (const { group } of draft.seats.at(id)) out.add(group.id)
  }
  return out
}

/** Itself, and all that hard rules keep together with it. */
function matesOf(draft: Draft, groupId: string): ReadonlySet<string> {
  const reached = new Set([groupId])
  for (const id of reached)
    for (const rule of draft.rulesOf(id))
      if (rule.hard && rule.kind === 'keepTogether')
        for (const other of rule.groups) reached.add(other)
  return reached
}

function isRestless(draft: Draft, groupId: string): boolean {
  const said = draft.wasRestless(groupId)
  const group = draft.group(groupId)
  return group !== undefined && (said || group.ownership.phase !== 'owned')
}

/** Of the committed state only what this decision has not changed: that is told when it is committed. */
function remember(draft: Draft, all: boolean, restless: ReadonlyMap<string, boolean>): void {
  const { census } = draft
  if (draft.touchedAll) return
  const hot = affected(draft, draft.touched, draft.touchedNodes)
  if (all) {
    census.allUnsettled = false
    census.unsettled.clear()
    census.restless.clear()
    census.unsettledNodes.clear()
    for (const id of draft.touchedNodes) census.unsettledNodes.add(id)
    for (const id of hot) census.unsettled.add(id)
  }
  for (const id of census.unsettledNodes)
    if (!draft.touchedNodes.has(id)) census.unsettledNodes.delete(id)
  for (const [id, is] of restless) {
    if (!hot.has(id)) census.unsettled.delete(id)
    if (is) census.restless.add(id)
    else if (!hot.has(id)) census.restless.delete(id)
  }
}
