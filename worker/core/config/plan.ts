/** What a configuration document would change, and what the cluster would do because of it. */
import type { ConfigEffect, PlanView } from '../../../schema/api/config.ts'
import type { Refusal } from '../../../schema/errors.ts'
import type { Request } from '../../../schema/event.ts'
import { fingerprint } from '../../../schema/fingerprint.ts'
import type { Group, Hive, Resource } from '../../../schema/hive.ts'
import { LIMITS } from '../../../schema/limits.ts'
import type { ClusterState } from '../decision.ts'
import { Draft } from '../draft.ts'
import { candidates } from '../placement.ts'
import { played } from '../what-if.ts'
import { compile } from './compile.ts'
import type { Compiled, Step, Wanted } from './compiled.ts'
import { exportConfig } from './export.ts'
import { warningsOf } from './warnings.ts'

export interface Planned {
  readonly view: PlanView
  /** Null: nothing has to be done. */
  readonly request: Request | null
}

/** @returns a refusal when a request of it would be refused now: then all of it would be */
export function plan(
  state: ClusterState,
  wanted: Wanted,
  nowMs: number,
): Planned | { refused: Refusal } {
  const compiled = compile(state, wanted, nowMs)
  if ('refused' in compiled) return compiled
  const { steps, changes, kept, later } = compiled
  const base = baseOf(state.hive)
  const { seq } = state.hive
  if (steps.length === 0) {
    const warnings = warningsOf(state, nowMs)
    return { view: { base, seq, changes, effects: [], warnings, kept, later }, request: null }
  }
  const requests = steps.map((step) => step.request)
  const request: Request = { type: 'batch', requests }
  const tooLarge = whyTooLarge(requests.length, JSON.stringify(request).length)
  if (tooLarge) return { refused: tooLarge }
  const after = played(state, { type: 'requested', request, by: 'plan' }, nowMs)
  if ('refused' in after) return { refused: placed(after.refused, steps) }
  const effects = effectsOf(state, after, nowMs)
  const warnings = warningsOf(after, nowMs, runningWith(state, compiled))
  return { view: { base, seq, changes, effects, warnings, kept, later }, request }
}

/** Groups that run now, and could not be online any more. */
export const stopped = (effects: readonly ConfigEffect[]): readonly ConfigEffect[] =>
  effects.filter((effect) => effect.what === 'waits' && effect.from !== null)

/** Of what a plan is made: not of sessions and boots, which change nothing of it. */
function baseOf(hive: Hive): string {
  const nodes = [...hive.nodes.values()].map((node) => [
    ...[node.name, node.state, node.paused, node.draining !== undefined, node.types],
  ])
  const groups = [...hive.groups.values()].map(({ id, ownership }) => [
    ...[id, ownership.phase, ownership.owner, ownership.epoch],
  ])
  const wanted = [...hive.resources.values()].map((r) => [r.id, r.persistentState])
  return fingerprint([exportConfig(hive), nodes.sort(), groups.sort(), wanted.sort()])
}

function whyTooLarge(requests: number, bytes: number): Refusal | null {
  const { batchMax, batchBytesMax } = LIMITS
  if (requests <= batchMax && bytes <= batchBytesMax) return null
  return {
    code: 'TOO_LARGE',
    message: `that is ${requests} changes of ${bytes} bytes; what is carried out as one has at most ${batchMax} of ${batchBytesMax} bytes`,
    remedy: 'Apply a part of it first: a document with fewer groups.',
  }
}

/** The place in the document instead of the one in the batch. */
function placed(refused: Refusal, steps: readonly Step[]): Refusal {
  const errors = refused.errors?.map(({ pointer, message }) => {
    const [, n, rest = ''] = /^\/requests\/(\d+)(.*)$/.exec(pointer) ?? []
    return { pointer: `${steps[Number(n)]?.pointer ?? ''}${rest}`, message }
  })
  return { ...refused, ...(errors && { errors }) }
}

const wantedMembers = (hive: Hive): Map<string, Resource[]> => {
  const online = [...hive.resources.values()].filter((r) => r.persistentState === 1)
  return Map.groupBy(online, (r) => r.groupId)
}

function effectsOf(before: ClusterState, after: ClusterState, nowMs: number): ConfigEffect[] {
  const [had, has] = [wantedMembers(before.hive), wantedMembers(after.hive)]
  const draft = new Draft(after, nowMs, '')
  const gone = [...before.hive.groups.values()].filter((g) => !after.hive.groups.has(g.id))
  return [...gone, ...draft.groups()].flatMap((group) => {
    const [was, is] = [had.get(group.id) ?? [], has.get(group.id) ?? []]
    const effect = effectOn(draft, group, before.hive.groups.get(group.id), was, is)
    return effect ? [effect] : []
  })
}

function effectOn(
  draft: Draft,
  group: Group,
  before: Group | undefined,
  was: readonly Resource[],
  is: readonly Resource[],
): ConfigEffect | null {
  const name = (id: string | null | undefined) => (id ? (draft.node(id)?.name ?? id) : null)
  const from = was.length > 0 ? name(before?.ownership.owner) : null
  const owner = draft.group(group.id)?.ownership.owner ?? null
  const to = is.length > 0 ? name(owner) : null
  const epochs = [before?.ownership.epoch, draft.group(group.id)?.ownership.epoch]
  const names = (some: readonly Resource[], without: readonly Resource[]) =>
    some.filter((r) => !without.some((other) => other.id === r.id)).map((r) => r.name)
  const [starts, stops] = [names(is, was), names(was, is)]
  const common = { group: group.name, from, to, starts, stops, reasons: [], outageMs: null }
  if (is.length === 0) return was.length === 0 ? null : { ...common, what: 'stop' }
  if (to === null) {
    const waited = was.length > 0 && from === null && starts.length === 0
    if (waited) return null
    return { ...common, what: 'waits', reasons: [...candidates(draft, group).rejected] }
  }
  if (from === null) return { ...common, what: 'start' }
  if (from !== to) return { ...common, what: 'move' }
  if (epochs[0] !== epochs[1]) return { ...common, what: 'restart' }
  return starts.length + stops.length > 0 ? { ...common, what: 'members' } : null
}

/** Resources that run with what they were started with. */
function runningWith({ hive }: ClusterState, { changes }: Compiled): readonly string[] {
  const online = new Set(
    [...hive.resources.values()].filter((r) => r.persistentState === 1).map((r) => r.name),
  )
  return changes
    .filter(
      ({ kind, fields }) => kind === 'resource' && fields.some((f) => f.field === 'properties'),
    )
    .map(({ name }) => name)
    .filter((name) => online.has(name))
}
