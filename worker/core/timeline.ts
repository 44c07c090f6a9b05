/**
 * How a group changed its owner: when it was seen that something was wrong, decided, stopped, placed and
 * online again. Read from what was committed; decides nothing.
 */
import type { TimelinePhase, TimelineView } from '../../schema/api/timeline.ts'
import type { Group, Ownership } from '../../schema/hive.ts'
import type { Status } from '../../schema/status.ts'
import type { Because, Update } from '../../schema/update.ts'
import { REASONS } from './explain.ts'

/** From one owner to the next. */
export interface Episode {
  readonly groupId: string
  readonly cause: string
  readonly before: Ownership | null
  /** It was asked to leave. */
  readonly left: Update | null
  readonly freed: Update | null
  readonly owned: Update | null
  readonly updates: readonly Update[]
}

/** A status that was reported, on the clock of the control plane. */
export interface Seen {
  readonly atMs: number
  readonly resourceId: string
  readonly epoch: number
  readonly status: Status
}

export interface Around {
  /** Updates of nodes by the same cause. */
  readonly nodes: readonly Update[]
  /** Oldest first. */
  readonly seen: readonly Seen[]
  /** What is wanted online of it. */
  readonly members: readonly { id: string; name: string }[]
  name(nodeId: string | null): string | null
}

/** @param updates of one group, oldest first */
export function episodesOf(groupId: string, updates: readonly Update[]): Episode[] {
  const out: Episode[] = []
  let before: Ownership | null = null
  let open: { left: Update | null; freed: Update | null; updates: Update[] } | null = null
  const end = (owned: Update | null) => {
    const first = open?.updates[0]
    if (open && first) out.push({ groupId, cause: first.correlationId, before, ...open, owned })
    open = null
  }
  for (const update of updates) {
    const ownership = groupOf(update)?.ownership
    if (!ownership) {
      end(null)
      before = null
      continue
    }
    if (ownership.phase === 'owned') {
      if (open) {
        open.updates.push(update)
        end(update)
      }
      before = ownership
      continue
    }
    open ??= { left: null, freed: null, updates: [] }
    if (ownership.phase === 'releasing' && !open.left) open.left = update
    else if (ownership.phase === 'free' && !open.freed) open.freed = update
    else continue
    open.updates.push(update)
  }
  end(null)
  return out
}

const groupOf = ({ change }: Update): Group | null =>
  change.table === 'group' ? change.value : null

export function timelineOf(
  episode: Episode,
  around: Around,
): Omit<TimelineView, 'group' | 'events'> {
  const { left, freed, owned, before, cause } = episode
  const decision = left ?? freed ?? (owned as Update)
  const lost = around.nodes.find(
    (u) => u.change.table === 'node' && u.change.value?.state === 'down',
  )
  const because = freed && !left && lost ? lost.because : decision.because
  const epoch = owned ? (groupOf(owned)?.ownership.epoch ?? null) : null
  const healthyAtMs = owned && epoch !== null ? wellSince(around, epoch, owned.atMs) : null
  const firstBadMs = before ? badSince(around, before.epoch, decision.atMs) : null
  const marks = { ...episode, decision, because, healthyAtMs, firstBadMs }
  const phases = phasesOf(marks, around)
  return {
    id: cause,
    code: decision.because.code,
    verdict: verdictOf(marks, around),
    from: around.name(before?.owner ?? null),
    to: around.name(owned ? (groupOf(owned)?.ownership.owner ?? null) : null),
    epoch,
    beganAtMs: phases[0]?.fromMs ?? decision.atMs,
    healthyAtMs,
    phases,
    outage: outageOf(marks, around),
    evidence: { ...because.evidence },
    rule: because.rule ?? null,
    rejected: [...(owned?.because.rejected ?? decision.because.rejected ?? [])],
  }
}

interface Marks extends Episode {
  readonly decision: Update
  readonly because: Because
  readonly healthyAtMs: number | null
  readonly firstBadMs: number | null
}

const numberOf = ({ evidence }: Because, key: string): number | null => {
  const value = evidence?.[key]
  return typeof value === 'number' ? value : null
}

function phasesOf(marks: Marks, around: Around): TimelineView['phases'] {
  const { left, freed, owned, decision, because, firstBadMs, healthyAtMs } = marks
  const phases: TimelineView['phases'] = []
  const add = (phase: TimelinePhase, fromMs: number, toMs: number | null, what: string) => {
    const ms = toMs === null ? null : Math.max(0, toMs - fromMs)
    phases.push({ phase, fromMs, ms, what })
  }
  const answeredMs = numberOf(because, 'lastAnswerMs') ?? numberOf(because, 'confirmedMs')
  if (!left && answeredMs !== null) {
    const closedMs = Math.max(answeredMs, numberOf(because, 'closedMs') ?? answeredMs)
    add('detect', answeredMs, closedMs, 'from its last answer until its session was over')
    add('wait', closedMs, decision.atMs, REASONS[because.code] ?? because.code)
  } else if (firstBadMs !== null)
    add('detect', firstBadMs, decision.atMs, badText(marks, around, firstBadMs))
  const source = around.name(marks.before?.owner ?? null)
  if (left) add('stop', left.atMs, freed?.atMs ?? null, `stopped on ${source}, in order`)
  const freeMs = freed?.atMs ?? (left ? null : decision.atMs)
  if (freeMs !== null) add('place', freeMs, owned?.atMs ?? null, 'offered, and accepted')
  if (owned)
    add('start', owned.atMs, healthyAtMs, `started on ${around.name(ownerOf(owned))}, in order`)
  return phases
}

const ownerOf = (update: Update): string | null => groupOf(update)?.ownership.owner ?? null

function badText(marks: Marks, { seen, members }: Around, sinceMs: number): string {
  const names = new Map(members.map(({ id, name }) => [id, name]))
  const bad = seen.filter(
    (s) =>
      s.epoch === marks.before?.epoch &&
      s.atMs >= sinceMs &&
      s.atMs <= marks.decision.atMs &&
      s.status !== 'online' &&
      names.has(s.resourceId),
  )
  const words = bad.map((s) => `${names.get(s.resourceId)} ${s.status}`)
  return [...new Set(words)].slice(0, 5).join(', ') || 'not online'
}

/** Since when not all of it had been online, at the moment of the decision; null: all was. */
function badSince({ seen, members }: Around, epoch: number, untilMs: number): number | null {
  const status = new Map<string, Status>()
  let since: number | null = null
  for (const one of seen) {
    if (one.epoch !== epoch || one.atMs > untilMs) continue
    if (!members.some(({ id }) => id === one.resourceId)) continue
    const knownBefore = status.size > 0
    status.set(one.resourceId, one.status)
    const well = [...status.values()].every((s) => s === 'online')
    if (well) since = null
    else if (knownBefore || one.status === 'failed') since ??= one.atMs
  }
  return since
}

/** When all of it was online at that epoch. */
function wellSince({ seen, members }: Around, epoch: number, fromMs: number): number | null {
  const left = new Set(members.map(({ id }) => id))
  if (left.size === 0) return fromMs
  for (const one of seen) {
    if (one.epoch !== epoch || one.atMs < fromMs) continue
    if (one.status === 'online') left.delete(one.resourceId)
    if (left.size === 0) return one.atMs
  }
  return null
}

function outageOf(marks: Marks, { seen, members }: Around): TimelineView['outage'] {
  const { left, freed, before, decision, because, healthyAtMs, firstBadMs } = marks
  if (healthyAtMs === null || before === null || members.length === 0) return null
  const since = (ms: number) => Math.max(0, healthyAtMs - ms)
  if (!left) {
    const answered = numberOf(because, 'lastAnswerMs') ?? numberOf(because, 'confirmedMs')
    return { ms: since(answered ?? decision.atMs), is: 'atMost' }
  }
  const ownership = groupOf(left)?.ownership
  const travels = ownership?.phase === 'releasing' && ownership.carry !== undefined
  if (travels) return { ms: since(freed?.atMs ?? left.atMs), is: 'atMost' }
  const stopped = seen.find(
    (s) => s.epoch === before.epoch && s.atMs >= decision.atMs && s.status !== 'online',
  )
  return { ms: since(firstBadMs ?? stopped?.atMs ?? decision.atMs), is: 'measured' }
}

function verdictOf(marks: Marks, around: Around): string {
  const { before, owned, decision, because } = marks
  const source = around.name(before?.owner ?? null)
  const target = around.name(owned ? ownerOf(owned) : null)
  const why = REASONS[decision.because.code] ?? decision.because.code
  const more = because === decision.because ? '' : `: ${REASONS[because.code] ?? because.code}`
  const where =
    source === null
      ? `came up on ${target ?? 'no node yet'}`
      : `left ${source} for ${target ?? 'no node yet'}`
  return `${where}, because ${why}${more}`
}
