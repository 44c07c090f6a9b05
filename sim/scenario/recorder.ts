/** What happens in a scenario, as it happens: moves of the hive, and what really ran. */
import { emptyHive, type Group, type Hive } from '../../schema/hive.ts'
import { applyUpdate, type Update } from '../../schema/update.ts'
import { explain } from '../../worker/core/explain.ts'
import { follow } from '../world/follow.ts'
import type { Scene } from '../world/scene.ts'
import type { Running } from '../world/witness.ts'

export interface Move {
  readonly atMs: number
  readonly group: string
  readonly from: string | null
  readonly to: string | null
  readonly because: string
}

export interface Run {
  readonly atMs: number
  readonly group: string
  readonly resource: string
  readonly node: string
  readonly what: 'start' | 'stop'
}

export class Recorder {
  readonly #scene: Scene
  readonly hive: Hive = emptyHive()
  readonly moves: Move[] = []
  readonly runs: Run[] = []
  readonly lines: { atMs: number; text: string }[] = []
  /** Groups that ran on one node at the same time, each pair once: `a b`. */
  readonly together = new Set<string>()
  /** Who owned a group last, by name. */
  readonly #owners = new Map<string, string | null>()
  readonly #freed = new Map<string, string>()

  constructor(scene: Scene) {
    this.#scene = scene
    follow(scene.platform.disk, {
      update: (update) => this.#update(update),
      line: ({ component, node, message }) => this.say(`[${component}] ${node}: ${message}`),
    })
    const { onStart, onEnd } = scene.witness
    scene.witness.onStart = (running) => {
      onStart(running)
      this.#ran(running, 'start')
    }
    scene.witness.onEnd = (running) => {
      onEnd(running)
      this.#ran(running, 'stop')
    }
  }

  say(text: string): void {
    this.lines.push({ atMs: this.#scene.kernel.nowMs, text })
  }

  #update(update: Update): void {
    const { message } = explain(update, this.hive)
    applyUpdate(this.hive, update)
    const { change } = update
    if (change.table === 'group' && change.value) this.#owned(change.value, message)
  }

  #owned(group: Group, message: string): void {
    const { phase } = group.ownership
    if (phase === 'free') this.#freed.set(group.name, message)
    if (phase !== 'owned') return
    const from = this.#owners.get(group.name) ?? null
    const to = this.hive.nodes.get(group.ownership.owner ?? '')?.name ?? null
    this.#owners.set(group.name, to)
    if (from === to) return
    const before = from === null ? '' : `${this.#freed.get(group.name) ?? ''}; `
    this.moves.push({
      ...{ atMs: this.#scene.kernel.nowMs, group: group.name, from, to },
      because: `${before}${message}`,
    })
  }

  #ran({ groupId, resourceId, host }: Running, what: Run['what']): void {
    const group = this.hive.groups.get(groupId)?.name ?? groupId
    const resource = this.hive.resources.get(resourceId)?.name ?? resourceId
    this.runs.push({ atMs: this.#scene.kernel.nowMs, group, resource, node: host, what })
    this.say(`${what === 'start' ? 'RUN  ' : 'ENDED'} ${resource} on ${host}`)
    if (what === 'stop') return
    for (const other of this.#scene.witness.runningOn(host)) {
      const name = this.hive.groups.get(other.groupId)?.name ?? other.groupId
      if (name !== group)
        for (const pair of [`${group} ${name}`, `${name} ${group}`]) this.together.add(pair)
    }
  }
}
