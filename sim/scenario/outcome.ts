/** What came of a scenario, and whether that is what was expected. */
import { applyObservation, emptyObserved, type Observation } from '../../schema/observed.ts'
import { viewGroup } from '../../worker/core/view.ts'
import type { Move, Recorder, Run } from './recorder.ts'
import type { Scenario, STATES } from './schema.ts'
import type { Stage } from './stage.ts'

export type GroupOutcome = (typeof STATES)[number]

export interface Outcome {
  readonly ok: boolean
  readonly placement: { readonly [group: string]: string | null }
  readonly states: { readonly [group: string]: GroupOutcome }
  /** Indexes of events whose request was refused. */
  readonly refused: readonly number[]
  readonly moves: readonly (Omit<Move, 'atMs'> & { atSeconds: number })[]
  readonly runs: readonly (Omit<Run, 'atMs'> & { atSeconds: number })[]
  readonly violations: readonly string[]
  readonly unmet: readonly string[]
  /** Why a group is where it is: the last move of each that moved. */
  readonly because: { readonly [group: string]: string }
}

export interface Played {
  readonly stage: Stage
  readonly refused: ReadonlyMap<number, string>
  /** When each event happened, milliseconds of the kernel. */
  readonly eventsMs: readonly number[]
  readonly violations: readonly string[]
}

export function outcomeOf(scenario: Scenario, played: Played): Outcome {
  const { recorder, startMs } = played.stage
  const atSeconds = (atMs: number) => Math.max(0, Math.round(atMs - startMs)) / 1_000
  const since = <T extends { atMs: number }>(all: readonly T[]) =>
    all
      .filter((one) => one.atMs >= startMs)
      .map(({ atMs, ...rest }) => ({ atSeconds: atSeconds(atMs), ...rest }))
  const moves = since(recorder.moves)
  const { placement, states } = finalState(scenario, played)
  const refused = [...played.refused.keys()].sort((a, b) => a - b)
  const because = Object.fromEntries(moves.map((move) => [move.group, move.because]))
  const runs = since(recorder.runs)
  const found = { placement, states, refused, moves, runs }
  const unmet = unmetOf(scenario, played, found)
  const { violations } = played
  return { ok: unmet.length === 0 && violations.length === 0, ...found, violations, unmet, because }
}

type Found = Pick<Outcome, 'placement' | 'states' | 'refused' | 'moves' | 'runs'>

function finalState(scenario: Scenario, { stage }: Played) {
  const { hive } = stage.recorder
  const { disk } = stage.scene.platform
  const observed = emptyObserved()
  for (const row of disk.db.prepare('select "table", id, body from observed').all())
    applyObservation(observed, {
      ...{ table: row['table'], id: row['id'], value: JSON.parse(String(row['body'])) },
    } as Observation)
  const placement: { [group: string]: string | null } = {}
  const states: { [group: string]: GroupOutcome } = {}
  for (const { name } of scenario.groups) {
    const group = hive.groups.get(stage.groups.get(name) ?? '')
    if (!group) continue
    const view = viewGroup({ hive, observed }, group, Date.now())
    const wanted = view.resources.some((r) => r.persistentState === 1)
    placement[name] = view.owner
    states[name] =
      view.state === 'pending' ? (wanted ? 'onlinePending' : 'offlinePending') : view.state
  }
  return { placement, states }
}

function unmetOf({ expect = {}, events }: Scenario, played: Played, found: Found): string[] {
  const unmet: string[] = []
  const differs = (what: string, is: unknown, wanted: unknown) => {
    if (JSON.stringify(is) !== JSON.stringify(wanted))
      unmet.push(`${what} is ${JSON.stringify(is)}, expected ${JSON.stringify(wanted)}`)
  }
  for (const [group, node] of Object.entries(expect.placement ?? {}))
    differs(`the owner of ${group}`, found.placement[group] ?? null, node)
  for (const [group, state] of Object.entries(expect.states ?? {}))
    differs(`the state of ${group}`, found.states[group], state)
  if (expect.refused) {
    const wanted = [...expect.refused].sort((a, b) => a - b)
    const said = [...played.refused].map(([n, why]) => `; ${n} (${events[n]?.type}): ${why}`)
    if (JSON.stringify(found.refused) !== JSON.stringify(wanted))
      unmet.push(
        `refused are events ${JSON.stringify(found.refused)}, expected ${JSON.stringify(wanted)}${said.join('')}`,
      )
  }
  for (const [group, path] of Object.entries(expect.path ?? {}))
    differs(`the path of ${group}`, pathOf(played.stage.recorder, group), path)
  for (const one of expect.never ?? []) unmet.push(...broken(one, played, found))
  for (const [group, seconds] of Object.entries(expect.withinSeconds ?? {})) {
    const tookMs = outageMs(played, group)
    if (tookMs === null) unmet.push(`${group} is not online again`)
    else if (tookMs > seconds * 1_000)
      unmet.push(
        `${group} was online again after ${tookMs / 1_000} s, expected within ${seconds} s`,
      )
  }
  return unmet
}

/** Its owners in order, beginning with the one that it had at the start. */
function pathOf(recorder: Recorder, group: string): string[] {
  return recorder.moves.flatMap((m) => (m.group === group && m.to !== null ? [m.to] : []))
}

type Never = NonNullable<NonNullable<Scenario['expect']>['never']>[number]

function broken(
  { moved, group, node, together = [], started, without }: Never,
  played: Played,
  found: Found,
): string[] {
  const said: string[] = []
  const move =
    moved === undefined ? undefined : found.moves.find((m) => m.group === moved && m.from)
  if (move) said.push(`${moved} moved to ${move.to} after ${move.atSeconds} s: ${move.because}`)
  if (
    group !== undefined &&
    node !== undefined &&
    pathOf(played.stage.recorder, group).includes(node)
  )
    said.push(`${group} was on ${node}`)
  for (const [n, a] of together.entries())
    for (const b of together.slice(n + 1))
      if (played.stage.recorder.together.has(`${a} ${b}`))
        said.push(`${a} and ${b} ran on one node`)
  if (started !== undefined && without !== undefined)
    said.push(...startedWithout(played.stage, started, without))
  return said
}

/** Starts of a group of which nothing ran, while the other one did not run as a whole. */
function startedWithout({ recorder, resources, startMs }: Stage, one: string, other: string) {
  const up = new Map([one, other].map((name) => [name, new Set<string>()]))
  const said: string[] = []
  for (const run of recorder.runs) {
    const ofGroup = up.get(run.group)
    const whole = up.get(other)?.size === resources.get(other)?.size
    if (run.group === one && run.what === 'start' && ofGroup?.size === 0 && !whole)
      if (run.atMs >= startMs) said.push(`${one} was started on ${run.node} without ${other}`)
    if (run.what === 'start') ofGroup?.add(run.resource)
    else ofGroup?.delete(run.resource)
  }
  return said
}

/**
 * From the event that took it down last until all of it that then ran was up again.
 *
 * @returns milliseconds; 0: it was never down; null: it still is
 */
function outageMs({ stage, eventsMs }: Played, group: string): number | null {
  const up = new Set<string>()
  let downMs: number | null = null
  let most = 0
  let tookMs = 0
  for (const run of stage.recorder.runs) {
    if (run.group !== group) continue
    if (run.what === 'start') up.add(run.resource)
    else up.delete(run.resource)
    most = Math.max(most, up.size)
    if (run.atMs < stage.startMs) continue
    if (run.what === 'stop') downMs ??= run.atMs
    if (run.what !== 'start' || downMs === null || up.size < most) continue
    const cause = Math.max(stage.startMs, ...eventsMs.filter((ms) => ms <= (downMs ?? 0)))
    tookMs = run.atMs - cause
    downMs = null
  }
  return downMs === null ? tookMs : null
}
