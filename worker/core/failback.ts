/** S-19, S-91: a group goes back to a node that it prefers. */
import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import { isOpen, opensAtMs } from '../../schema/failback.ts'
import type { Group, Node } from '../../schema/hive.ts'
import { LIMITS } from '../../schema/limits.ts'
import { bestCarry } from './carrying.ts'
import type { Draft } from './draft.ts'
import { unitOf } from './neighbours.ts'
import { candidates, recentFailovers, whyNot } from './placement.ts'
import { busy, findGroup, isRefusal } from './refusals.ts'
import { beginRelease } from './releases.ts'
import { preferredOf } from './sticks.ts'

type Of<T extends Request['type']> = Extract<Request, { type: T }>

interface Better {
  /** The node that it prefers most of those that could take it, if it prefers that to where it is. */
  readonly node: Node | null
  /** When one counts again where it has failed before, or null: there is none. */
  readonly againMs: number | null
}

/** Where it failed a while ago it would fail again; that is forgotten with the failover period. */
function better(draft: Draft, group: Group): Better {
  const { owner } = group.ownership
  const rank = (id: string | null) => {
    const at = preferredOf(group).indexOf(id ?? '')
    return at < 0 ? Number.POSITIVE_INFINITY : at
  }
  const failedMs = new Map(recentFailovers(draft, group).map((f) => [f.nodeId, f.atMs]))
  const preferred = candidates(draft, group, { without: owner, all: true })
    .eligible.filter((node) => rank(node.id) < rank(owner) && node.id !== shunned(group))
    .sort((a, b) => rank(a.id) - rank(b.id))
  const againMs = preferred.flatMap(({ id }) => {
    const atMs = failedMs.get(id)
    return atMs === undefined ? [] : [atMs + group.failoverPeriodMs]
  })
  return {
    node: preferred.find(({ id }) => !failedMs.has(id)) ?? null,
    againMs: againMs.length > 0 ? Math.min(...againMs) : null,
  }
}

/** It left that node when it was drained, and an operator has said that it does not go back. */
const shunned = ({ drained }: Group) => (drained?.back === 'never' ? drained.from : null)

/** Everything that is wanted is online: an interruption now would be the only one. */
function isWhole(draft: Draft, { id, ownership }: Group): boolean {
  return draft.resourcesOf(id).every((r) => {
    const seen = draft.observed(r.id)
    const here = seen?.epoch === ownership.epoch && seen.nodeId === ownership.owner
    return r.persistentState === 0 || (here && seen.status === 'online')
  })
}

const goingBack = (draft: Draft): number =>
  draft
    .groups()
    .filter(({ ownership }) => ownership.phase === 'releasing' && ownership.reason === 'failback')
    .length

/**
 * Of an owned group: back, if its policy says so and nothing speaks against it now. When that may change
 * by time alone is noted: nothing else would make anybody look.
 *
 * @returns whether it leaves
 */
export function failBack(draft: Draft, group: Group): boolean {
  if (returnDrained(draft, group)) return true
  const { failback } = group
  // Of groups that are kept together one says where they belong, or they would never agree.
  const leads = unitOf(draft, group)[0]?.id === group.id
  if (!failback || failback.when === 'off' || !leads) {
    note(draft, group, null)
    return false
  }
  if (preferredOf(group)[0] !== group.ownership.owner) draft.staysRestless(group.id)
  const { node: to, againMs } = better(draft, group)
  const shut = failback.when === 'window' && !isOpen(failback, draft.nowMs)
  note(draft, group, to && shut ? opensAtMs(failback, draft.nowMs) : to ? null : againMs)
  if (!to || shut) return false
  if (!mayGoBack(draft, group)) return false
  goBack(draft, group, to, { policy: failback.when })
  return true
}

/** S-18: to the node that it was drained from, because an operator has said so on resuming that. */
function returnDrained(draft: Draft, group: Group): boolean {
  const { drained, ownership } = group
  if (drained?.back !== 'now' || ownership.owner === drained.from) return false
  draft.staysRestless(group.id)
  const home = draft.node(drained.from)
  if (!home || whyNot(draft, group, home, { without: ownership.owner }) !== null) return false
  if (!mayGoBack(draft, group)) return false
  goBack(draft, group, home, { policy: 'resumed' })
  return true
}

const mayGoBack = (draft: Draft, group: Group): boolean =>
  draft.node(group.ownership.owner ?? '')?.state === 'up' &&
  isWhole(draft, group) &&
  goingBack(draft) < LIMITS.failbacksAtOnce

/** Of a group that is not owned: its window is nobody's matter now. */
export const forgetFailback = (draft: Draft, group: Group): void => note(draft, group, null)

function note(draft: Draft, { id }: Group, dueMs: number | null): void {
  if ((draft.failback(id)?.dueMs ?? null) === dueMs) return
  draft.observe({ table: 'failback', id, value: dueMs === null ? null : { dueMs } })
}

function goBack(draft: Draft, group: Group, to: Node, evidence: Record<string, string>): void {
  beginRelease(
    draft,
    group,
    { reason: 'failback', to: to.id, ...bestCarry(draft, group) },
    { manager: 'FM', code: 'failedBack', rule: 'S-19', evidence: { ...evidence, to: to.name } },
  )
}

/** S-91: now, whatever its window, and though it is degraded: an operator has looked at it. */
export function failbackGroup(draft: Draft, r: Of<'failbackGroup'>, by: string): Refusal | null {
  const group = findGroup(draft, r.groupId)
  if (isRefusal(group)) return group
  const { ownership } = group
  if (ownership.phase === 'releasing') return busy(draft, group, ownership)
  if (preferredOf(group).length === 0)
    return {
      code: 'NO_PREFERRED_OWNER',
      message: `group "${group.name}" prefers no node`,
      remedy: `Say which it prefers: holdfast group change ${group.name} --preferred-owners NODE`,
    }
  const to = better(draft, { ...group, drained: undefined }).node
  if (!to) return noBetter(draft, group)
  const { drained: _, ...rest } = group
  goBack(draft, rest, to, { by })
  return null
}

function noBetter(draft: Draft, group: Group): Refusal {
  const { owner } = group.ownership
  const here = draft.node(owner ?? '')?.name ?? 'no node'
  const rejected = new Map(
    candidates(draft, group, { without: owner }).rejected.map((x) => [x.node, x.reason]),
  )
  const names = preferredOf(group)
    .map((id) => draft.node(id)?.name ?? id)
    .filter((name) => name !== here)
    .map((name) => `${name}: ${rejected.get(name) ?? 'it failed there a while ago'}`)
  if (names.length === 0 || preferredOf(group)[0] === owner)
    return {
      code: 'ALREADY_THERE',
      message: `group "${group.name}" is on ${here}, and prefers no other node to that`,
      remedy: 'Nothing to do.',
    }
  return {
    code: 'NO_ELIGIBLE_NODE',
    message: `no node that group "${group.name}" prefers to ${here} can take it`,
    why: names.join('; '),
    remedy: `See what keeps it: holdfast why ${group.name}`,
  }
}
