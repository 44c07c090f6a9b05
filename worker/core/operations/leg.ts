/** One group on its way from one node to another, as part of an operation. */
import type { OperationStep, Outage, StepState } from '../../../schema/api/operations.ts'
import type { Group, Ownership, Resource } from '../../../schema/hive.ts'
import { LIMITS } from '../../../schema/limits.ts'
import type { Update } from '../../../schema/update.ts'
import { Census } from '../census.ts'
import { REASONS } from '../explain.ts'
import { type Around, type Episode, episodesOf, timelineOf } from '../timeline.ts'
import type { Facts, Reported } from './begun.ts'

export interface Leg {
  readonly groupId: string
  readonly group: string
  readonly from: string | null
  readonly to: string | null
  /** GUID of the node that it came to. */
  readonly toId: string | null
  readonly state: StepState
  readonly fromMs: number
  /** Null: it goes on. */
  readonly endMs: number | null
  readonly limitMs: number | null
  readonly outage: Outage | null
  /** Why it waits or has failed. */
  readonly detail: string | null
  readonly episode: Episode
  readonly members: readonly Resource[]
}

/** Updates that take a group from its owner and give it to nobody. */
const FREEING: ReadonlySet<string> = new Set(['released', 'nodeLost', 'missingFromReport'])

/** Where a group was before its first update of these, as that update itself says. */
export function before(first: Update): Extract<Ownership, { phase: 'owned' }> | null {
  const ownership = first.change.table === 'group' ? first.change.value?.ownership : undefined
  if (!ownership) return null
  const owner = ownership.phase === 'free' ? ownership.lastOwner : ownership.owner
  // It was on no node already, or this is where it came to.
  const wasNowhere = ownership.phase === 'free' && !FREEING.has(first.because.code)
  if (owner === null || wasNowhere || first.because.code === 'placed') return null
  const { epoch, correlationId } = ownership
  return { phase: 'owned', owner, epoch, correlationId }
}

/**
 * The first change of owner that these updates tell of.
 *
 * @param trail updates of the group, oldest first, the first of which belongs to the operation
 * @returns null: it has not left where it was
 */
export function legOf(facts: Facts, groupId: string, trail: readonly Update[]): Leg | null {
  const [first] = trail
  if (!first) return null
  const was = before(first)
  const episode = episodesOf(groupId, was ? [asOwned(first, was), ...trail] : trail)[0]
  if (!episode) return null
  const { hive } = facts.state
  const group = hive.groups.get(groupId)
  const members = membersOf(facts, groupId).filter((r) => r.persistentState === 1)
  const around: Around = {
    nodes: facts.updates.filter(
      (u) => u.change.table === 'node' && u.correlationId === episode.cause,
    ),
    seen: facts.seen,
    members,
    name: (id) => (id === null ? null : (hive.nodes.get(id)?.name ?? id)),
  }
  const told = timelineOf(episode, around)
  return {
    groupId,
    group: group?.name ?? nameIn(trail) ?? groupId,
    from: told.from,
    to: told.to ?? around.name(boundFor(trail.at(-1))),
    toId: ownerOf(episode.owned),
    fromMs: first.atMs,
    limitMs: limitOf(members),
    outage: told.outage,
    ...standing(facts, { group, episode, trail, members, healthyAtMs: told.healthyAtMs }),
    episode,
    members,
  }
}

export const membersOf = ({ state }: Facts, groupId: string): Resource[] =>
  Census.of(state)
    .membersOf(groupId)
    .flatMap((id) => state.hive.resources.get(id) ?? [])

/** One after the other, stopped, placed and started. */
const limitOf = (members: readonly Resource[]): number =>
  members.reduce<number>((sum, r) => sum + 2 * r.poll.pendingMs, LIMITS.offerAnswerMs)

function asOwned(first: Update, ownership: Ownership): Update {
  const group = first.change.value as Group
  return {
    ...first,
    seq: 0,
    change: { table: 'group', id: group.id, value: { ...group, ownership } },
  }
}

function nameIn(trail: readonly Update[]): string | null {
  const known = trail.find((u) => u.change.table === 'group' && u.change.value)
  return known?.change.table === 'group' ? (known.change.value?.name ?? null) : null
}

/** Where it is to go, while it is on its way. */
function boundFor(u: Update | undefined): string | null {
  const ownership = ownershipOf(u)
  return ownership && ownership.phase !== 'owned' ? ownership.to : null
}

const ownerOf = (u: Update | null): string | null => ownershipOf(u)?.owner ?? null

export function ownershipOf(u: Update | null | undefined): Ownership | null {
  return u?.change.table === 'group' ? (u.change.value?.ownership ?? null) : null
}

interface Way {
  readonly group: Group | undefined
  readonly episode: Episode
  readonly trail: readonly Update[]
  readonly members: readonly Resource[]
  readonly healthyAtMs: number | null
}

type Standing = Pick<Leg, 'state' | 'endMs' | 'detail'>

const going: Standing = { state: 'running', endMs: null, detail: null }
const waits = (detail: string): Standing => ({ state: 'waiting', endMs: null, detail })
const failed = (endMs: number, detail: string): Standing => ({ state: 'failed', endMs, detail })

function standing(facts: Facts, way: Way): Standing {
  const { group, episode, trail, healthyAtMs } = way
  const { owned } = episode
  if (!owned) {
    const last = trail.at(-1) as Update
    if (!group) return failed(last.atMs, 'it was deleted')
    const reasons = facts.state.observed.waiting.get(group.id)?.reasons
    if (!reasons) return going
    return waits(reasons.map(({ node, reason }) => `${node} ${reason}`).join('; ') || 'no node')
  }
  const epoch = ownershipOf(owned)?.epoch ?? 0
  if (episode.before?.epoch === epoch) {
    const { reason = '' } = owned.because.evidence ?? {}
    return failed(owned.atMs, `its state could not be carried: ${reason}`)
  }
  const bad = firstGivenUp(facts.seen, epoch, way.members)
  if (bad && (healthyAtMs === null || bad.atMs < healthyAtMs)) {
    const name = way.members.find((r) => r.id === bad.resourceId)?.name ?? bad.resourceId
    return failed(bad.atMs, `${name} failed${bad.detail ? `: ${bad.detail}` : ''}`)
  }
  if (healthyAtMs !== null) return { state: 'done', endMs: healthyAtMs, detail: null }
  return notWell(facts, way, owned, epoch)
}

/** It has its new owner, and not all of it is online there. */
function notWell(facts: Facts, { group, trail }: Way, owned: Update, epoch: number): Standing {
  const next = trail.find((u) => {
    const ownership = ownershipOf(u)
    return u.seq > owned.seq && (ownership?.phase !== 'owned' || ownership.epoch !== epoch)
  })
  if (next) {
    const why = REASONS[next.because.code] ?? next.because.code
    return failed(next.atMs, `it left again before it was online: ${why}`)
  }
  if (group?.waitsFor) {
    const names = group.waitsFor.map((id) => facts.state.hive.groups.get(id)?.name ?? id)
    return waits(`until ${names.join(' and ')} is online`)
  }
  return going
}

/** The first of them whose owner has used up its attempts: what comes of that is another matter. */
function firstGivenUp(
  seen: readonly Reported[],
  epoch: number,
  members: readonly Resource[],
): Reported | undefined {
  const ids = new Set(members.map((r) => r.id))
  return seen.find(
    (s) => s.epoch === epoch && s.gaveUp && s.status === 'failed' && ids.has(s.resourceId),
  )
}

/** Each part of the way by itself. */
export function stepsOf(leg: Leg, { seen, nowMs }: Facts): OperationStep[] {
  const { episode, members, from, to } = leg
  const { left, freed, owned } = episode
  const steps: OperationStep[] = []
  const source = episode.before
  const carry = leftWith(left)
  const freeMs = freed?.atMs ?? (left ? null : (episode.updates[0]?.atMs ?? null))
  const until = leg.state === 'failed' ? leg.endMs : null
  if (carry && left)
    steps.push({
      ...{ what: 'carry', subject: leg.group, node: from, limitMs: null, detail: carry },
      ...during(left.atMs, freed?.atMs ?? null, until, nowMs),
    })
  else if (left && source)
    for (const r of members) {
      const stopped = seen.find(
        (s) =>
          s.resourceId === r.id &&
          s.epoch === source.epoch &&
          s.atMs >= left.atMs &&
          (s.status === 'offline' || s.status === 'failed'),
      )
      steps.push({
        ...{ what: 'stop', subject: r.name, node: from, limitMs: r.poll.pendingMs, detail: null },
        ...during(left.atMs, stopped?.atMs ?? freed?.atMs ?? null, until, nowMs),
      })
    }
  steps.push({
    ...{ what: 'place', subject: leg.group, node: to, limitMs: LIMITS.offerAnswerMs },
    ...during(freeMs, owned?.atMs ?? null, until, nowMs),
    ...(leg.state === 'waiting' && !owned && { state: 'waiting', limitMs: null }),
    detail: owned ? null : leg.detail,
  })
  const epoch = ownershipOf(owned)?.epoch ?? null
  for (const r of members) {
    const of = seen.filter((s) => s.resourceId === r.id && s.epoch === epoch)
    const well = of.find((s) => s.status === 'online')
    const bad = of.find((s) => s.gaveUp && s.status === 'failed')
    const began = of.find((s) => s.status === 'onlinePending') ?? well
    steps.push({
      ...{ what: 'start', subject: r.name, node: to, limitMs: r.poll.pendingMs },
      ...during(owned ? (began?.atMs ?? owned.atMs) : null, well?.atMs ?? null, until, nowMs),
      ...(bad && !well && { state: 'failed' }),
      detail: bad?.detail ?? null,
    })
  }
  return steps
}

function leftWith(left: Update | null): string | null {
  const ownership = ownershipOf(left)
  if (ownership?.phase !== 'releasing' || !ownership.carry) return null
  return ownership.carry.method === 'live'
    ? 'it runs on while its memory travels'
    : 'by way of a file'
}

function during(
  fromMs: number | null,
  toMs: number | null,
  failedMs: number | null,
  nowMs: number,
): Pick<OperationStep, 'state' | 'fromMs' | 'ms'> {
  if (fromMs === null) return { state: 'pending', fromMs: null, ms: null }
  if (toMs !== null) return { state: 'done', fromMs, ms: Math.max(0, toMs - fromMs) }
  const endMs = failedMs ?? nowMs
  return {
    state: failedMs === null ? 'running' : 'failed',
    fromMs,
    ms: Math.max(0, endMs - fromMs),
  }
}
