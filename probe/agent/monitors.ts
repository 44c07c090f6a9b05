import type { HostedType } from '../../schema/hive.ts'
import { isSeparate } from '../../schema/ids.ts'

/** A monitor that has not come up by then hosts nothing: what only it could run fails over. */
const PATIENCE_MS = 60_000

/** What a monitor says of its modules. */
interface Told {
  readonly types: readonly HostedType[]
  readonly unloaded?: readonly string[]
  readonly prepares?: readonly string[]
  readonly refused?: readonly string[] | undefined
}

/** What the agent knows of the resource monitors of its host: which one hosts which type (S-23). */
export class MonitorList {
  readonly #types = new Map<string, readonly HostedType[]>()
  /** Of these the ones that can be called. */
  readonly #loaded = new Map<string, ReadonlySet<string>>()
  /** Of these the ones that only a monitor of a single resource may import. */
  readonly #refused = new Map<string, ReadonlySet<string>>()
  readonly #prepares = new Map<string, ReadonlySet<string>>()
  readonly #ready = new Set<string>()
  #expected: readonly string[] = []
  #expectedMs = 0
  /** Started, and not heard of yet. One that has ended before is not waited for. */
  readonly #awaited = new Set<string>()

  up(monitor: string): void {
    this.#ready.delete(monitor)
    if (!this.#types.has(monitor) && !isSeparate(monitor)) this.#awaited.add(monitor)
  }

  down(monitor: string): void {
    this.#ready.delete(monitor)
    this.#awaited.delete(monitor)
  }

  /** @returns whether this host offers other types than before */
  ready(monitor: string, told: Told): boolean {
    const { types, unloaded = [], prepares = [], refused = [] } = told
    const before = JSON.stringify(this.types)
    // One of a single resource (S-29) offers nothing that the shared ones do not.
    if (!isSeparate(monitor)) {
      this.#types.set(monitor, types)
      const loaded = types.map((t) => t.type).filter((type) => !unloaded.includes(type))
      this.#loaded.set(monitor, new Set(loaded))
      this.#prepares.set(monitor, new Set(prepares))
      this.#refused.set(monitor, new Set(refused))
    }
    this.#ready.add(monitor)
    this.#awaited.delete(monitor)
    return JSON.stringify(this.types) !== before
  }

  /** Whether its module can make a later Online faster (S-50). */
  prepares(type: string): boolean {
    return [...this.#prepares.values()].some((types) => types.has(type))
  }

  /** Of those that tell what this host has. */
  get someReady(): boolean {
    return [...this.#ready].some((monitor) => !isSeparate(monitor))
  }

  /** Whether the list of types is all there is to come. */
  get complete(): boolean {
    return this.someReady && this.#awaited.size === 0
  }

  /** Of all monitors. One that is being restarted still counts: its workloads run on. */
  get types(): HostedType[] {
    return [...this.#types.keys()].sort().flatMap((monitor) => this.#types.get(monitor) ?? [])
  }

  /** All there are on this host: one that is down just now may yet host what the others do not. */
  expect(monitors: readonly string[]): void {
    this.#expected = monitors
    this.#expectedMs = performance.now()
  }

  /** Whether every monitor has said what it hosts, or will not any more, and none hosts this. */
  lacks(type: string): boolean {
    if (this.hostOf(type) !== null) return false
    const heard = this.#expected.every((monitor) => this.#types.has(monitor))
    return this.someReady && (heard || performance.now() - this.#expectedMs > PATIENCE_MS)
  }

  /** The shared monitor for a type, up or not; null: none has said that it hosts it. */
  hostOf(type: string): string | null {
    for (const [monitor, types] of this.#loaded) if (types.has(type)) return monitor
    return null
  }

  /** The same for what is to be alone: of the kind that hosts its type, or would (S-32). */
  aloneHostOf(type: string): string | null {
    for (const [monitor, types] of this.#refused) if (types.has(type)) return monitor
    return this.hostOf(type)
  }

  /** Whether it is hosted alone or not at all: the others have not lived through importing its module. */
  refuses(type: string): boolean {
    return this.hostOf(type) === null && this.aloneHostOf(type) !== null
  }

  /** Why a type that should be hosted is not, by its monitor. */
  problemOf(type: string): string | undefined {
    return this.types.find((told) => told.type === type)?.problem
  }

  isReady(monitor: string): boolean {
    return this.#ready.has(monitor)
  }
}
