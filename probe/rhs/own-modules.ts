/**
 * Module files of this host (S-52): loaded if they are what their pins say, looked at again while they
 * run, and offered with what is wrong with them if they are not (S-56, S-57).
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { HostedType } from '../../schema/hive.ts'
import type { HostPolicy } from '../../schema/host-policy.ts'
import type { GuardToRhs } from '../../schema/ipc.ts'
import type { ModulePin } from '../../schema/module-pins.ts'
import type { ResourceModule } from '../../schema/resource-type.ts'
import { corrupt, isLate, loadModuleFile, readModule } from '../modules/module-file.ts'

/** A file that has not changed by its times and size is read again this often: disks rot, too. */
const READ_AGAIN_MS = 60_000
const PROBLEM_MAX = 500

interface Own {
  readonly pin: ModulePin
  readonly path: string
  readonly module: ResourceModule | null
  /** Not loaded for its bytes, and not for what they say. */
  readonly corrupt: boolean
  /** A monitor has not lived through importing it. */
  readonly refused: boolean
  problem: string | null
  stamp: string
  readMs: number
}

type Source = Extract<GuardToRhs, { t: 'records' }>['modules']
type Begins = (pin: ModulePin) => (problem?: string, late?: boolean) => void

export class OwnModules {
  readonly #all: Own[] = []
  readonly #source: Source
  readonly #host: ResourceModule['host']
  readonly #policy: HostPolicy

  constructor(source: Source, host: ResourceModule['host'], policy: HostPolicy) {
    this.#source = source
    this.#host = host
    this.#policy = policy
  }

  /** Those that are not here yet, of these types; null: of all. */
  missing(types: ReadonlySet<string> | null): ModulePin[] {
    const isHere = ({ type }: ModulePin) => this.#all.some((own) => own.pin.type === type)
    const wanted = this.#source.pins.filter((pin) => types === null || types.has(pin.type))
    return wanted.filter((pin) => pin.host === this.#host && !isHere(pin))
  }

  /**
   * Each for itself: one that cannot be loaded is no reason to be without the others. One after the
   * other: whose statements keep this process busy is known from outside.
   */
  async load(types: ReadonlySet<string> | null, begins: Begins): Promise<void> {
    const { folder, refused = [] } = this.#source
    for (const pin of this.missing(types)) {
      const why = refused.find(({ file }) => file === pin.file)?.why
      this.#all.push(
        why === undefined
          ? await loadOne(folder, pin, this.#policy, begins(pin))
          : refusedOne(folder, pin, why),
      )
    }
  }

  /** Types whose module this monitor may not even import. */
  get refused(): string[] {
    return this.#all.flatMap(({ pin, refused }) => (refused ? [pin.type] : []))
  }

  /** Those that can be called, by type. */
  get modules(): ReadonlyMap<string, ResourceModule> {
    const loaded = this.#all.flatMap(({ pin, module }) =>
      module ? [[pin.type, module] as const] : [],
    )
    return new Map(loaded)
  }

  hosted(): HostedType[] {
    return this.#all.map(({ pin, problem }) => ({
      ...{ type: pin.type, version: pin.version, sha256: pin.sha256 },
      ...(problem !== null && { problem: problem.slice(0, PROBLEM_MAX) }),
    }))
  }

  problemOf(type: string): string | null {
    return this.#all.find(({ pin }) => pin.type === type)?.problem ?? null
  }

  /**
   * Looks at the files again. What is loaded goes on: it was intact when it was read.
   *
   * @returns `told`: something has become corrupt, or is intact again; `begin`: a file that could not be
   *   loaded is intact by now, which takes a new monitor
   */
  look(nowMs: number): 'same' | 'told' | 'begin' {
    let changed = false
    let begin = false
    for (const own of this.#all) {
      const stamp = stampOf(own.path)
      if (stamp === own.stamp && nowMs - own.readMs < READ_AGAIN_MS) continue
      own.stamp = stamp
      own.readMs = nowMs
      const problem = fileProblem(own)
      if (own.module === null) {
        begin ||= problem === null && own.corrupt
        continue
      }
      changed ||= (problem === null) !== (own.problem === null)
      own.problem = problem
    }
    return begin ? 'begin' : changed ? 'told' : 'same'
  }
}

const ownOf = (folder: string, pin: ModulePin) => {
  const path = join(folder, pin.file)
  return { pin, path, stamp: stampOf(path), readMs: 0, corrupt: false, refused: false }
}

function refusedOne(folder: string, pin: ModulePin, why: string): Own {
  const remedy = 'register a corrected version, or the same file to have it tried again'
  const problem = `its module is not loaded: ${why}; ${remedy}`
  return { ...ownOf(folder, pin), module: null, refused: true, problem }
}

async function loadOne(
  folder: string,
  pin: ModulePin,
  policy: HostPolicy,
  ended: ReturnType<Begins>,
): Promise<Own> {
  const own = ownOf(folder, pin)
  const { path } = own
  try {
    const { module, manifest } = await loadModuleFile(path, pin.sha256)
    ended()
    if (manifest.type !== pin.type) throw new Error(`it is of type ${manifest.type}`)
    const allowed = module.way === undefined || policy.modules?.[pin.type] !== undefined
    if (allowed) return { ...own, module, problem: null }
    const problem = `the host policy has no section modules.${pin.type}`
    return { ...own, module: null, problem }
  } catch (error) {
    const { refusal } = error as { refusal?: { why?: string } }
    const problem = refusal?.why ?? (error as Error).message
    ended(problem, isLate(error))
    if (isLate(error)) return refusedOne(folder, pin, problem)
    const corrupt = fileProblem(own) !== null
    return { ...own, corrupt, module: null, problem: `its module is not loaded: ${problem}` }
  }
}

function fileProblem({ path, pin }: Pick<Own, 'path' | 'pin'>): string | null {
  try {
    const { sha256 } = readModule(path)
    return sha256 === pin.sha256 ? null : `its module file: ${corrupt(sha256, pin.sha256)}`
  } catch (error) {
    const { refusal } = error as { refusal?: { why?: string } }
    return `its module file: ${refusal?.why ?? (error as Error).message}; it is not intact`
  }
}

function stampOf(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path)
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`
  } catch {
    return 'none'
  }
}
