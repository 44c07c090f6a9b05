/** What the API has acknowledged, and whether it is still so: an acknowledged change is never lost. */

import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import type { ClusterView } from '../../schema/api/bodies.ts'

/** A group with a resource of the same name, wanted offline: nothing happens when it is changed. */
export const SETTINGS = 'settings'
type Setting = 'preferredOwners' | 'properties'

export class Promises {
  readonly #demo: Demo
  /** PersistentState by group; null while a request about it was not answered: either may be. */
  readonly #wanted = new Map<string, 0 | 1 | null>()
  /** Groups that were made by writes. */
  readonly #made = new Set<string>()
  /** As last acknowledged; null while a change of it was not answered. */
  readonly #settings = new Map<Setting, string | null>()
  #next = 0
  #changes = 0
  /** Changes that were acknowledged, of whatever kind. */
  acks = 0
  readonly lost: string[] = []

  constructor(demo: Demo) {
    this.#demo = demo
  }

  wanted(group: string): 0 | 1 | null | undefined {
    return this.#wanted.get(group)
  }

  /** @returns whether it was acknowledged */
  async want(group: string, state: 0 | 1): Promise<boolean> {
    const route = state === 1 ? 'onlineGroup' : 'offlineGroup'
    const before = this.#wanted.get(group)
    this.#wanted.set(group, null)
    try {
      await this.#demo.api(route, { params: { cluster: CLUSTER, group } })
      this.#wanted.set(group, state)
      this.acks += 1
      return true
    } catch (error) {
      // Refused: nothing has changed. Not answered: nobody knows.
      if (isRefused(error)) this.#wanted.set(group, before ?? null)
      return false
    }
  }

  /** Groups, made one after the other until told to stop. */
  async write(go: () => boolean): Promise<void> {
    while (go()) {
      const name = `made-${this.#next}`
      this.#next += 1
      try {
        await this.#demo.api('createGroup', { params: { cluster: CLUSTER }, body: { name } })
        this.#made.add(name)
        this.acks += 1
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }

  /** Changes of a resource and of a group, in turn, until told to stop. */
  async change(go: () => boolean): Promise<void> {
    // Each order of the hosts once, then from the start.
    const names = this.#demo.hosts.slice(0, 3).map((host) => host.name)
    while (go()) {
      this.#changes += 1
      const n = this.#changes
      const args = ['-c', `: ${n}`]
      const turned = [...names.slice(n % names.length), ...names.slice(0, n % names.length)]
      const done =
        n % 2 === 0
          ? await this.#change('properties', JSON.stringify(args), () =>
              this.#demo.api('changeResource', {
                params: { cluster: CLUSTER, resource: SETTINGS },
                body: { properties: { command: '/bin/sh', args } },
              }),
            )
          : await this.#change('preferredOwners', JSON.stringify(turned), () =>
              this.#demo.api('changeGroup', {
                params: { cluster: CLUSTER, group: SETTINGS },
                body: { preferredOwners: turned },
              }),
            )
      if (!done) await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async #change(what: Setting, value: string, ask: () => Promise<unknown>): Promise<boolean> {
    const before = this.#settings.get(what)
    this.#settings.set(what, null)
    try {
      await ask()
      this.#settings.set(what, value)
      this.acks += 1
      return true
    } catch (error) {
      if (isRefused(error)) this.#settings.set(what, before ?? null)
      return false
    }
  }

  /** Compares with what the control plane says now, and forgets the groups that were made. */
  async check(): Promise<void> {
    const view = await this.#demo.view()
    const names = new Set(view.groups.map((g) => g.name))
    for (const name of this.#made) if (!names.has(name)) this.lost.push(`group ${name}`)
    for (const [name, wanted] of this.#wanted) {
      const states = view.groups
        .find((g) => g.name === name)
        ?.resources.map((r) => r.persistentState)
      const now = states?.[0]
      if (now === undefined) this.lost.push(`group ${name}`)
      else if (wanted === null) this.#wanted.set(name, now)
      else if (now !== wanted) this.lost.push(`group ${name}: wanted ${wanted}, is ${now}`)
    }
    this.#checkSettings(view)
    // One that an earlier round deleted may have been let go by its owner only now.
    for (const name of [...names].filter((n) => n.startsWith('made-')))
      await this.#demo
        .api('deleteGroup', { params: { cluster: CLUSTER, group: name } })
        .catch((error) => {
          if (!isRefused(error)) throw error
        })
    this.#made.clear()
  }

  #checkSettings(view: ClusterView): void {
    for (const [what, value] of this.#settings) {
      const now = settingOf(view, what)
      if (now === undefined) this.lost.push(`${what} of ${SETTINGS}`)
      else if (value !== null && now !== value)
        this.lost.push(`${what} of ${SETTINGS}: ${value} was acknowledged, is ${now}`)
      this.#settings.set(what, now ?? null)
    }
  }
}

/** What the control plane has now, as it was acknowledged. */
function settingOf(view: ClusterView, what: Setting): string | undefined {
  const group = view.groups.find((g) => g.name === SETTINGS)
  const found =
    what === 'preferredOwners' ? group?.preferredOwners : group?.resources[0]?.properties['args']
  return found === undefined ? undefined : JSON.stringify(found)
}

function isRefused(error: unknown): boolean {
  const code = (error as { refusal?: { code: string } }).refusal?.code
  return code !== undefined && code !== 'UNAVAILABLE' && code !== 'INTERNAL'
}
