/** A group or a resource that is wanted online, or offline (S-67). */
import type { OperationState, OperationStep } from '../../../schema/api/operations.ts'
import type { Resource } from '../../../schema/hive.ts'
import type { Update } from '../../../schema/update.ts'
import {
  type Begun,
  type Facts,
  type Reported,
  sumOf,
  type Told,
  type WantRequest,
} from './begun.ts'

export function tellWant(begun: Begun, verb: WantRequest, facts: Facts): Told {
  const word = verb.persistentState === 1 ? 'online' : 'offline'
  const own = facts.updates.filter(
    (u) => u.correlationId === begun.id && u.change.table === 'resource' && wantedBy(u),
  )
  const members = own.map((u) => u.change.value as Resource)
  const subject = subjectOf(verb, members, facts)
  const end = supersededAt(begun, own, facts)
  const until = end?.atMs ?? Number.POSITIVE_INFINITY
  const steps = members.map((r) => stepOf(begun, r, word, facts, until))
  const endings = steps.map((s) =>
    s.fromMs === null || s.ms === null ? begun.atMs : s.fromMs + s.ms,
  )
  const over = steps.every((s) => s.state === 'done' || s.state === 'failed')
  const bad = steps.filter((s) => s.state === 'failed')
  const stuck = steps.find((s) => s.state === 'waiting')
  const ended = (state: OperationState, endedAtMs: number, summary: string) => ({
    ...{ state, endedAtMs, summary, cancel: null },
  })
  const name = `${subject.kind} ${subject.name}`
  const back = word === 'online' ? 'offline' : 'online'
  const how = over
    ? bad.length > 0
      ? ended(
          'problems',
          Math.max(...endings),
          `${name} is not ${word}: ${bad.map(textOf).join('; ')}`,
        )
      : ended('done', Math.max(...endings), `${name} is ${word}${whereOf(steps, word)}`)
    : end
      ? ended(
          end.cancelled ? 'cancelled' : 'superseded',
          end.atMs,
          `${name}: ${end.by} wants something else since`,
        )
      : {
          state: stuck ? ('waiting' as const) : ('running' as const),
          endedAtMs: null,
          summary: stuck ? `${name} waits: ${stuck.detail}` : `${name} goes ${word}`,
          cancel: `what was ${back} before is wanted ${back} again`,
        }
  return { subject, ...how, limitMs: sumOf(steps.map((s) => s.limitMs)), groups: [], steps }
}

const textOf = ({ subject, detail }: OperationStep) =>
  `${subject} failed${detail ? `: ${detail}` : ''}`

function whereOf(steps: readonly OperationStep[], word: string): string {
  const nodes = new Set(steps.flatMap((s) => s.node ?? []))
  return word === 'online' && nodes.size === 1 ? ` on ${[...nodes][0]}` : ''
}

const wantedBy = ({ because }: Update): boolean =>
  because.code === 'operatorOnline' || because.code === 'operatorOffline'

function subjectOf(
  verb: WantRequest,
  members: readonly Resource[],
  { state }: Facts,
): Told['subject'] {
  const [first] = members
  const groupId = verb.type === 'setGroupState' ? verb.groupId : first?.groupId
  if (verb.type === 'setResourceState' && members.length === 1 && first)
    return { kind: 'resource', name: state.hive.resources.get(first.id)?.name ?? first.name }
  return { kind: 'group', name: state.hive.groups.get(groupId ?? '')?.name ?? groupId ?? '' }
}

/** The first time that something else was wanted of one of them, or that one was deleted. */
function supersededAt(begun: Begun, own: readonly Update[], { updates }: Facts) {
  const ids = new Set(own.map((u) => u.change.id))
  const wanted = (own[0]?.change.value as Resource | undefined)?.persistentState
  const other = updates.find(({ change, correlationId }) => {
    if (change.table !== 'resource' || !ids.has(change.id) || correlationId === begun.id)
      return false
    return change.value?.persistentState !== wanted
  })
  if (!other) return null
  const { by, node, cancels } = other.because.evidence ?? {}
  const who = by ?? (node === undefined ? 'an operator' : `${node} itself`)
  return { atMs: other.atMs, by: String(who), cancelled: cancels === begun.id }
}

function stepOf(
  begun: Begun,
  r: Resource,
  word: 'online' | 'offline',
  facts: Facts,
  untilMs: number,
): OperationStep {
  const { hive, observed } = facts.state
  const group = hive.groups.get(r.groupId)
  const of = facts.seen.filter((s) => s.resourceId === r.id && s.atMs <= untilMs)
  const now = observed.resources.get(r.id)
  const ends = of.find((s) => s.status === word || (s.status === 'failed' && gaveUp(s, word)))
  const there = ends?.status === word ? ends : undefined
  const common = {
    what: word === 'online' ? ('start' as const) : ('stop' as const),
    subject: hive.resources.get(r.id)?.name ?? r.name,
    node: nodeName(facts, there, group?.ownership.owner ?? null),
    limitMs: r.poll.pendingMs,
    detail: null,
  }
  if (there) return { ...common, state: 'done', fromMs: begun.atMs, ms: there.atMs - begun.atMs }
  // It was so already, and nobody had to say anything.
  const current = now !== undefined && now.epoch === group?.ownership.epoch
  const nowhere = group === undefined || group.ownership.phase === 'free'
  const isSo = current ? now.status === word : nowhere && word === 'offline'
  if (isSo && !ends) {
    const sinceMs = Math.max(0, (now?.sinceMs ?? 0) - begun.atMs)
    return { ...common, state: 'done', fromMs: begun.atMs, ms: sinceMs }
  }
  if (ends) {
    const { atMs, detail } = ends
    return { ...common, state: 'failed', fromMs: begun.atMs, ms: atMs - begun.atMs, detail }
  }
  const waits = word === 'online' && group ? whatFor(facts, group.id, group.waitsFor) : null
  const ms = Math.max(0, Math.min(facts.nowMs, untilMs) - begun.atMs)
  return { ...common, state: waits ? 'waiting' : 'running', fromMs: begun.atMs, ms, detail: waits }
}

/** What could not be stopped is tried no more. */
const gaveUp = (s: Reported, word: 'online' | 'offline'): boolean => s.gaveUp || word === 'offline'

function nodeName(
  { state }: Facts,
  there: Reported | undefined,
  owner: string | null,
): string | null {
  const id = there?.nodeId ?? owner
  return id === null ? null : (state.hive.nodes.get(id)?.name ?? id)
}

function whatFor(
  { state }: Facts,
  groupId: string,
  waitsFor: readonly string[] | undefined,
): string | null {
  if (waitsFor)
    return `until ${waitsFor.map((id) => state.hive.groups.get(id)?.name ?? id).join(' and ')} is online`
  const waiting = state.observed.waiting.get(groupId)
  return waiting ? waiting.reasons.map(({ node, reason }) => `${node} ${reason}`).join('; ') : null
}
