/**
 * The journal under another policy. Each decision of the time is taken again by `step`, from the state that
 * the cluster was really in and with the one thing changed that the policy changes. What would have followed
 * from a different decision is not played on: nobody knows what the hosts would have reported then.
 */
import type { ReplayedDecision, ReplayPolicy } from '../../schema/api/replay.ts'
import type { Event } from '../../schema/event.ts'
import type { Group } from '../../schema/hive.ts'
import { applyObservation } from '../../schema/observed.ts'
import type { StatusItem } from '../../schema/session.ts'
import { PROFILES, waitMs } from '../../schema/timing.ts'
import { applyUpdate, type Update } from '../../schema/update.ts'
import type { ClusterState } from './decision.ts'
import { step } from './step.ts'
import { copied } from './what-if.ts'

type Of<T extends Event['type']> = Extract<Event, { type: T }>

export interface Entry {
  readonly atMs: number
  readonly event: Event
  /** What came of it. */
  readonly updates: readonly Update[]
}

/** A node that was lost, until it is known when it was back. */
interface Loss {
  readonly nodeId: string
  readonly answeredMs: number
  /** How long is waited for a lease to have ended, under the policy. */
  readonly waitsMs: number
  readonly decision: Omit<ReplayedDecision, 'would' | 'why'>
}

export class Replay {
  readonly #state: ClusterState
  readonly #policy: ReplayPolicy
  readonly #decisions: ReplayedDecision[] = []
  readonly #losses: Loss[] = []
  /** Resources that would have given up where they went on: `id epoch`. */
  readonly #gaveUp = new Set<string>()
  #renewed = 0
  #checked = 0

  /** @param state a copy of the cluster as it was before the first entry: it is changed */
  constructor(state: ClusterState, policy: ReplayPolicy) {
    this.#state = state
    this.#policy = policy
  }

  /** The entries of the journal in their order, each once. */
  take({ atMs, event, updates }: Entry): void {
    if (event.type === 'resourceReported') this.#reported(event, atMs, updates)
    if (event.type === 'nodeLost') this.#lost(event, atMs, updates)
    if (event.type === 'nodeReported') this.#back(event, atMs)
    for (const update of updates) applyUpdate(this.#state.hive, update)
  }

  /** Oldest first, with what cannot be told. */
  result(): { decisions: ReplayedDecision[]; unknown: string[] } {
    for (const loss of this.#losses.splice(0)) this.#judge(loss, null)
    const decisions = this.#decisions.sort((a, b) => a.atMs - b.atMs)
    return { decisions, unknown: this.#unknown() }
  }

  #unknown(): string[] {
    const { isAliveMs, profile } = this.#policy
    const known = this.#state.hive.cluster?.profile ?? 'standard'
    const shorter = profile !== undefined && PROFILES[profile].ttlMs < PROFILES[known].ttlMs
    return [
      ...(isAliveMs === undefined
        ? []
        : [
            `${count(this.#checked, 'failure')} would have been noticed by a check at most ${isAliveMs} ms after it began. What mended itself between two checks left no entry.`,
          ]),
      ...(shorter && this.#renewed > 0
        ? [
            `${count(this.#renewed, 'session')} came back before a lease had ended, and the journal does not say after how long: under ${profile} it may have been too late.`,
          ]
        : []),
    ]
  }

  #reported(event: Of<'resourceReported'>, atMs: number, updates: readonly Update[]): void {
    const { hive, observed } = this.#state
    const items = event.items.map((item) => this.#under(item))
    const groups = new Set<string>()
    for (const [n, item] of event.items.entries()) {
      const group = hive.groups.get(hive.resources.get(item.resourceId)?.groupId ?? '')
      const isCurrent =
        group?.ownership.owner === event.nodeId && group.ownership.epoch === item.epoch
      if (group && isCurrent && (item.gaveUp || items[n] !== item)) groups.add(group.id)
    }
    for (const groupId of groups)
      this.#decide(hive.groups.get(groupId) as Group, { ...event, items }, event, atMs, updates)
    for (const item of event.items) {
      const { resourceId, status, correlationId: _, ...rest } = item
      if (!hive.resources.has(resourceId)) continue
      const seen = status === 'stopped' ? ('offline' as const) : status
      const value = { ...rest, status: seen, nodeId: event.nodeId, sinceMs: atMs }
      applyObservation(observed, { table: 'resource', id: resourceId, value })
    }
  }

  /** What the host would have reported in place of it. */
  #under(item: StatusItem): StatusItem {
    const { attempts } = this.#policy
    if (attempts === undefined) return item
    const key = `${item.resourceId} ${item.epoch}`
    if (item.gaveUp)
      return attempts > item.restarts && !this.#gaveUp.has(key) ? { ...item, gaveUp: false } : item
    if (item.restarts <= attempts || this.#gaveUp.has(key)) return item
    this.#gaveUp.add(key)
    return { ...item, status: 'failed', gaveUp: true }
  }

  #decide(
    group: Group,
    event: Of<'resourceReported'>,
    real: Of<'resourceReported'>,
    atMs: number,
    updates: readonly Update[],
  ): void {
    const leaving = (all: readonly Update[]) =>
      all.find((u) => u.change.id === group.id && u.because.code === 'resourceFailed')
    const left = leaving(updates)
    const decision = step(this.#patched(group), event, atMs)
    const would = leaving(decision.updates) !== undefined
    if (!left && !would) return
    if (left) this.#checked += 1
    const node = this.#nodeName(real.nodeId)
    this.#decisions.push({
      ...{ atMs, kind: 'failover', node, groups: [group.name] },
      ...{ id: left?.correlationId ?? null, happened: left !== undefined, would },
      why: this.#whyGroup(group, { event, real, would, left }, decision.log),
    })
  }

  #whyGroup(
    group: Group,
    { event, real, would, left }: Judged,
    log: readonly { message: string; groupId?: string | undefined }[],
  ): string {
    const { attempts = 0, isAliveMs } = this.#policy
    const happened = left !== undefined
    const n = event.items.findIndex((item, i) => item.gaveUp !== real.items[i]?.gaveUp)
    const item = real.items[n]
    const resource = this.#state.hive.resources.get(item?.resourceId ?? '')
    if (happened && !would && item)
      return `${resource?.name} had been restarted ${item.restarts} times and would have been tried ${count(attempts - item.restarts, 'more time')}; nobody knows whether that had helped`
    if (!happened && item)
      return `${resource?.name} was restarted for the ${item.restarts}. time; with attempts ${attempts} it had given up before`
    if (would !== happened) {
      if (would) return 'there are failovers left'
      return log.findLast((line) => line.groupId === group.id)?.message ?? 'it stays where it is'
    }
    const { resource: named } = left?.because.evidence ?? {}
    const failed = [...this.#state.hive.resources.values()].find(
      (r) => r.groupId === group.id && r.name === named,
    )
    const was = failed?.poll.isAliveMs
    if (isAliveMs === undefined || was === undefined) return 'no difference'
    return `a check notices it at most ${isAliveMs} ms after it began, in place of ${was} ms; what the host sees by itself it sees at once`
  }

  /** The cluster as it was, with this group under the policy. */
  #patched(group: Group): ClusterState {
    const copy = copied(this.#state)
    const { failoverThreshold, failoverPeriodMs } = this.#policy
    if (failoverThreshold === undefined && failoverPeriodMs === undefined) return copy
    const value: Group = {
      ...group,
      ...(failoverThreshold !== undefined && { failoverThreshold }),
      ...(failoverPeriodMs !== undefined && { failoverPeriodMs }),
    }
    applyUpdate(copy.hive, {
      ...{ seq: copy.hive.seq + 1, atMs: 0, correlationId: '' },
      change: { table: 'group', id: group.id, value },
      because: { manager: 'RCM', code: 'groupChanged' },
    })
    return copy
  }

  #lost({ nodeId, evidence }: Of<'nodeLost'>, atMs: number, updates: readonly Update[]): void {
    const down = updates.find((u) => u.change.table === 'node' && u.change.id === nodeId)
    if (!down) return
    const { hive } = this.#state
    const groups = [...hive.groups.values()].filter((g) => g.ownership.owner === nodeId)
    const times = PROFILES[this.#policy.profile ?? hive.cluster?.profile ?? 'standard']
    const leaseMs = evidence.path === 'pong' ? times.ttlMs : times.ttlAuthorityMs
    this.#losses.push({
      nodeId,
      answeredMs: evidence.path === 'pong' ? evidence.lastAnswerMs : evidence.confirmedMs,
      waitsMs: waitMs(leaseMs, times.marginMs),
      decision: {
        ...{ atMs, kind: 'nodeLoss', node: this.#nodeName(nodeId), id: down.correlationId },
        ...{ groups: groups.map((g) => g.name), happened: true },
      },
    })
  }

  #back({ nodeId }: Of<'nodeReported'>, atMs: number): void {
    const at = this.#losses.findIndex((loss) => loss.nodeId === nodeId)
    const [loss] = at < 0 ? [] : this.#losses.splice(at, 1)
    if (loss) return this.#judge(loss, atMs)
    if (this.#state.hive.nodes.get(nodeId)?.state === 'up') this.#renewed += 1
  }

  /** @param backMs when it reported again; null: it has not by now */
  #judge({ answeredMs, waitsMs, decision }: Loss, backMs: number | null): void {
    const { profile } = this.#policy
    const awayMs = backMs === null ? null : backMs - answeredMs
    const would = awayMs === null || awayMs > waitsMs
    const until =
      awayMs === null ? 'it has not come back' : `it was back ${awayMs} ms after its last answer`
    const why =
      profile === undefined
        ? 'no difference'
        : `${until}, and under ${profile} its groups are taken over after ${waitsMs} ms`
    this.#decisions.push({ ...decision, would, why })
  }

  #nodeName(id: string): string {
    return this.#state.hive.nodes.get(id)?.name ?? id
  }
}

interface Judged {
  /** As it would have been reported, and as it was. */
  readonly event: Of<'resourceReported'>
  readonly real: Of<'resourceReported'>
  readonly would: boolean
  /** The update by which it left; undefined: it did not. */
  readonly left: Update | undefined
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`
