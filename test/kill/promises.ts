/** What the API has acknowledged, and whether it is still so: an acknowledged change is never lost. */
import { CLUSTER, type Demo } from '../../demo/cluster.ts'

export class Promises {
  readonly #demo: Demo
  /** PersistentState by group; null while a request about it was not answered: either may be. */
  readonly #wanted = new Map<string, 0 | 1 | null>()
  /** Groups that were made by writes. */
  readonly #made = new Set<string>()
  #next = 0
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
      return true
    } catch (error) {
      // Refused: nothing has changed. Not answered: nobody knows.
      if (isRefused(error)) this.#wanted.set(group, before ?? null)
      return false
    }
  }

  /** Changes of the configuration, one after the other, until told to stop. */
  async write(go: () => boolean): Promise<void> {
    while (go()) {
      const name = `made-${this.#next}`
      this.#next += 1
      try {
        await this.#demo.api('createGroup', { params: { cluster: CLUSTER }, body: { name } })
        this.#made.add(name)
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
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
    for (const name of [...names].filter((n) => n.startsWith('made-')))
      await this.#demo.api('deleteGroup', { params: { cluster: CLUSTER, group: name } })
    this.#made.clear()
  }
}

function isRefused(error: unknown): boolean {
  const code = (error as { refusal?: { code: string } }).refusal?.code
  return code !== undefined && code !== 'UNAVAILABLE' && code !== 'INTERNAL'
}
