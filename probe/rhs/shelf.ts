/** All modules of one monitor: those that come with the probe, and the host's own files. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { HostedType } from '../../schema/hive.ts'
import { type HostPolicy, hostPolicy } from '../../schema/host-policy.ts'
import { isSeparate } from '../../schema/ids.ts'
import type { FromRhs, GuardToRhs, HeldResource, ToRhs } from '../../schema/ipc.ts'
import type { ResourceModule, StopHints } from '../../schema/resource-type.ts'
import { loadModules } from '../resources/index.ts'
import { allowsText } from './allows.ts'
import type { Loading } from './loading.ts'
import { OwnModules } from './own-modules.ts'

export class Shelf {
  readonly #host: ResourceModule['host']
  /** Of one resource alone: it imports what that one is, when it knows it. */
  readonly #separate: boolean
  #modules: ReadonlyMap<string, ResourceModule> = new Map()
  #shipped: readonly HostedType[] = []
  #own: OwnModules | null = null
  #policy: HostPolicy = {}

  constructor(monitor: string) {
    this.#host = monitor.startsWith('rhs-exec') ? 'rhs-exec' : 'rhs'
    this.#separate = isSeparate(monitor)
  }

  async load(
    { policy, folder, modules }: Extract<GuardToRhs, { t: 'records' }>,
    begins: Loading['begins'],
  ): Promise<void> {
    const allowed = policyOf(policy)
    this.#policy = allowed
    const shipped = loadModules(allowed, folder, this.#host)
    this.#shipped = hostedOf(shipped)
    this.#modules = shipped
    this.#own = new OwnModules(modules, this.#host, allowed)
    if (!this.#separate) await this.#loadOwn(null, begins)
  }

  /** Whether a module file has to be imported first. */
  lacks(resources: readonly HeldResource[]): boolean {
    return (this.#own?.missing(typesOf(resources)).length ?? 0) > 0
  }

  loadFor(resources: readonly HeldResource[], begins: Loading['begins']): Promise<void> {
    return this.#loadOwn(typesOf(resources), begins)
  }

  async #loadOwn(types: ReadonlySet<string> | null, begins: Loading['begins']): Promise<void> {
    await this.#own?.load(types, begins)
    this.#modules = new Map([...this.#modules, ...(this.#own?.modules ?? [])])
  }

  get modules(): ReadonlyMap<string, ResourceModule> {
    return this.#modules
  }

  get(type: string): ResourceModule | undefined {
    return this.#modules.get(type)
  }

  /** What this monitor hosts, and what it should and cannot. */
  get told(): Pick<
    Extract<FromRhs, { t: 'ready' }>,
    'types' | 'unloaded' | 'refused' | 'prepares'
  > {
    const all = [...this.#shipped, ...(this.#own?.hosted() ?? [])]
    const types = all.map((one) => ({ ...one, allows: allowsText(this.#policy, one.type) }))
    const unloaded = types.map((t) => t.type).filter((type) => !this.#modules.has(type))
    const prepares = [...this.#modules.values()].filter((m) => m.prepareOnline).map((m) => m.type)
    const refused = this.#own?.refused ?? []
    return { types, unloaded, prepares, ...(refused.length > 0 && { refused }) }
  }

  /** S-50: by type, where a module gives some. */
  get hints(): ReadonlyMap<string, StopHints> {
    return new Map(
      [...this.#modules].flatMap(([type, { hints }]) => (hints ? [[type, hints]] : [])),
    )
  }

  /** S-57: what has become of the files since they were looked at last. */
  look(nowMs: number): ReturnType<OwnModules['look']> {
    return this.#own?.look(nowMs) ?? 'same'
  }

  /**
   * G8: besides what is on record, what starts nothing: of that there is no record, it may be online; and
   * what has a manager of its own, which may have stopped it on purpose while nobody looked (S-62).
   */
  lookedAtFirst({ resources, inherited }: Extract<ToRhs, { t: 'hold' }>): string[] {
    const known = new Set(inherited)
    const lookers = resources.filter(({ guid, type }) => {
      const module = this.#modules.get(type)
      if (module === undefined) return false
      return module.way === undefined || (module.way === 'gate' && known.has(guid))
    })
    return lookers.map((r) => r.guid)
  }

  whyNot(type: string): string {
    return `no module for type ${type}: ${this.#own?.problemOf(type) ?? 'none is here'}`
  }
}

const typesOf = (resources: readonly HeldResource[]) => new Set(resources.map((r) => r.type))

/** Types with their modules loaded, each with the hash of the code that holds it. */
function hostedOf(modules: ReadonlyMap<string, ResourceModule>): HostedType[] {
  const sha256 = createHash('sha256')
    .update(readFileSync(process.argv[1] as string))
    .digest('hex')
  return [...modules.values()].map((m) => ({ type: m.type, version: m.version, sha256 }))
}

function policyOf(value: unknown): HostPolicy {
  const parsed = hostPolicy.safeParse(value)
  return parsed.success ? parsed.data : {}
}
