/**
 * What the loss of nodes would come to, kept for as long as nothing has changed that it depends on: after
 * one change in a large cluster few of them have to be worked out anew.
 */
import type { SimulatedGroup } from '../../schema/api/simulate.ts'
import { Census, type Touched } from './census.ts'
import type { ClusterState } from './decision.ts'
import { Footprint } from './footprint.ts'
import type { Load } from './seats.ts'
import { lossOf } from './what-if.ts'

interface Known {
  readonly groups: readonly SimulatedGroup[]
  readonly footprint: Footprint
  /** Which groups were restless: these are looked at whatever happens. */
  readonly restless: string
  /** Nodes that may have another load by now than it was worked out with: looked at when it is asked for. */
  readonly suspects: Set<string>
}

export class Losses {
  #state: ClusterState | null = null
  readonly #known = new Map<string, Known>()
  readonly #byGroup = new Map<string, Set<string>>()
  readonly #byNode = new Map<string, Set<string>>()
  readonly #byLoad = new Map<string, Set<string>>()

  /** As it was worked out, if that still holds. */
  known(state: ClusterState, nodes: readonly string[]): readonly SimulatedGroup[] | null {
    this.#follow(state)
    const key = nodes.join()
    const known = this.#known.get(key)
    if (!known) return null
    const holds = known.restless === restlessOf(state) && this.#loadsHold(state, known)
    if (holds) return known.groups
    this.#forget(key, known)
    return null
  }

  workOut(state: ClusterState, nodes: readonly string[], nowMs: number): readonly SimulatedGroup[] {
    this.#follow(state)
    const key = nodes.join()
    const before = this.#known.get(key)
    if (before) this.#forget(key, before)
    const footprint = new Footprint()
    const groups = lossOf(state, nodes, nowMs, footprint)
    // All that are looked at because something may have happened to them: nobody knows to which.
    if (footprint.all || Census.of(state).allUnsettled) return groups
    const suspects = new Set<string>()
    this.#known.set(key, { groups, footprint, restless: restlessOf(state), suspects })
    for (const id of footprint.groups) add(this.#byGroup, id, key)
    for (const id of footprint.nodes) add(this.#byNode, id, key)
    for (const id of footprint.loads.keys()) add(this.#byLoad, id, key)
    return groups
  }

  #follow(state: ClusterState): void {
    if (this.#state?.hive === state.hive && this.#state.observed === state.observed) return
    this.#state = state
    this.#clear()
    Census.of(state).onChange = (what) => this.#changed(what)
  }

  #changed(what: Touched | 'all'): void {
    if (this.#known.size === 0) return
    if (what === 'all') return this.#clear()
    const stale = [...(this.#byGroup.get(what.groupId) ?? [])]
    for (const node of what.nodes) {
      stale.push(...(this.#byNode.get(node) ?? []))
      // Most of what comes is gone again, or is where it was, by the time that somebody asks.
      for (const key of this.#byLoad.get(node) ?? []) this.#known.get(key)?.suspects.add(node)
    }
    for (const key of stale) {
      const known = this.#known.get(key)
      if (known) this.#forget(key, known)
    }
  }

  /** Whether the same is taken of all nodes that were asked about that. */
  #loadsHold(state: ClusterState, { suspects, footprint }: Known): boolean {
    const { seats } = Census.of(state)
    for (const node of suspects) {
      const was = footprint.loads.get(node)
      if (was === undefined || loadText(was) !== loadText(seats.load(node))) return false
    }
    suspects.clear()
    return true
  }

  #forget(key: string, { footprint }: Known): void {
    this.#known.delete(key)
    for (const id of footprint.groups) this.#byGroup.get(id)?.delete(key)
    for (const id of footprint.nodes) this.#byNode.get(id)?.delete(key)
    for (const id of footprint.loads.keys()) this.#byLoad.get(id)?.delete(key)
  }

  #clear(): void {
    this.#known.clear()
    this.#byGroup.clear()
    this.#byNode.clear()
    this.#byLoad.clear()
  }
}

const texts = new WeakMap<Load, string>()

function loadText(load: Load): string {
  const known = texts.get(load)
  if (known !== undefined) return known
  const { here, bound } = load
  const coming = bound.map(({ group }) => [group.id, group.needs, group.ownership])
  const text = JSON.stringify([Object.entries(here).sort(), coming])
  texts.set(load, text)
  return text
}

const restlessOf = (state: ClusterState): string => [...Census.of(state).restless].sort().join()

function add(index: Map<string, Set<string>>, id: string, key: string): void {
  const keys = index.get(id)
  if (keys) keys.add(key)
  else index.set(id, new Set([key]))
}
