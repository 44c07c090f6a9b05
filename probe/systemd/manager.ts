/** systemd by its own objects: what is asked of it, and what it says of the units that are watched. */
import * as z from 'zod'
import { MANAGER, MANAGER_PATH, SYSTEMD } from '../os/unit-starts.ts'
import { Bus, type Limits, type Signal, SystemdRefuses } from './bus.ts'
import { type UnitFacts, unitFacts } from './facts.ts'

/** One unit as it stands; the id of its job is 0 where it has none. */
export interface UnitState {
  readonly loadState: string
  readonly activeState: string
  readonly subState: string
  readonly jobId: number
}

/** How its main process ended last, and what systemd makes of it. */
export interface UnitEnd {
  readonly result: string
  /** `CLD_EXITED` (1), or one of those for a signal. */
  readonly code: number
  readonly status: number
}

export type UnitNews =
  | { readonly type: 'jobNew'; readonly job: string }
  | { readonly type: 'jobRemoved'; readonly job: string; readonly result: string }
  | { readonly type: 'changed'; readonly properties: Readonly<Record<string, unknown>> }

/** systemd reads all units anew for it, and answers nobody meanwhile. */
const RELOAD_MS = 90_000

const PROPERTIES = 'org.freedesktop.DBus.Properties'
const UNIT = `${SYSTEMD}.Unit`
const SERVICE = `${SYSTEMD}.Service`

const text = z.string()
const listed = z.array(
  z.tuple([text, text, text, text, text, text, text, z.int(), text, text]).transform((row) => ({
    ...{ loadState: row[2], activeState: row[3], subState: row[4], jobId: row[7] },
  })),
)
const serviceEnd = z.object({
  Result: text,
  ExecMainCode: z.int(),
  ExecMainStatus: z.int(),
})
const jobNew = z.tuple([z.int(), text, text])
const jobRemoved = z.tuple([z.int(), text, text, text])
const changed = z.tuple([text, z.record(text, z.unknown()), z.array(text)])

export class Systemd {
  readonly #bus: Bus
  readonly #watched = new Map<string, (news: UnitNews) => void>()
  readonly #byPath = new Map<string, string>()
  #ready: Promise<void> | null = null
  #reload: Promise<unknown> | null = null

  constructor(address: string) {
    this.#bus = new Bus(address, (signal) => this.#take(signal))
  }

  /** All in one call, in their order. Units that there are not have load state `not-found`. */
  async list(units: readonly string[], limits: Limits = {}): Promise<UnitState[]> {
    const answer = await this.#manager('ListUnitsByNames', 'as', [[...units]], limits)
    const states = listed.parse(answer)
    if (states.length !== units.length) throw new Error('systemd has left out a unit')
    return states
  }

  async state(unit: string, limits: Limits = {}): Promise<UnitState> {
    const [state] = await this.list([unit], limits)
    return state as UnitState
  }

  /** All that decides whether the cluster may have it. */
  async facts(unit: string, limits: Limits = {}): Promise<UnitFacts> {
    const [ofUnit, ofService] = await Promise.all([
      this.#properties(unit, UNIT, limits),
      this.#properties(unit, SERVICE, limits),
    ])
    return unitFacts(ofUnit, ofService)
  }

  async end(unit: string, limits: Limits = {}): Promise<UnitEnd> {
    const { Result, ExecMainCode, ExecMainStatus } = serviceEnd.parse(
      await this.#properties(unit, SERVICE, limits),
    )
    return { result: Result, code: ExecMainCode, status: ExecMainStatus }
  }

  /** Of those that could start another one: which do, now or at the next boot. */
  async armed(units: readonly string[], limits: Limits = {}): Promise<string[]> {
    const states = await this.list(units, limits)
    const files = await Promise.all(units.map((unit) => this.#fileState(unit, limits)))
    return units.filter(
      (_, i) => states[i]?.activeState === 'active' || files[i]?.startsWith('enabled'),
    )
  }

  /** @returns the path of the job */
  async stop(unit: string, limits: Limits = {}): Promise<string> {
    return text.parse(await this.#manager('StopUnit', 'ss', [unit, 'replace'], limits))
  }

  /** @returns the path of the job */
  async reloadUnit(unit: string, limits: Limits = {}): Promise<string> {
    return text.parse(await this.#manager('ReloadUnit', 'ss', [unit, 'replace'], limits))
  }

  async kill(unit: string, limits: Limits = {}): Promise<void> {
    await this.#manager('KillUnit', 'ssi', [unit, 'all', 9], limits)
  }

  /** So that neither an old failure nor systemd's own limit of starts is in the way. */
  async resetFailed(unit: string, limits: Limits = {}): Promise<void> {
    await this.#manager('ResetFailedUnit', 's', [unit], limits)
  }

  /** Reads unit files anew. Whoever comes while it is under way may have to come again. */
  async reload(signal: AbortSignal): Promise<void> {
    this.#reload ??= this.#manager('Reload', '', [], { timeoutMs: RELOAD_MS }).finally(() => {
      this.#reload = null
    })
    await this.#reload
    signal.throwIfAborted()
  }

  /** Whether the host itself goes down. */
  async isStopping(): Promise<boolean> {
    const ask = { path: MANAGER_PATH, interface: PROPERTIES, member: 'Get' }
    return (
      (await this.#bus.call({ ...ask, signature: 'ss', body: [MANAGER, 'SystemState'] })) ===
      'stopping'
    )
  }

  watch(unit: string, tell: (news: UnitNews) => void): () => void {
    this.#watched.set(unit, tell)
    this.#byPath.set(pathOf(unit), unit)
    if (this.#ready) void this.#matchAll('AddMatch', [unit]).catch(() => {})
    return () => {
      if (this.#watched.get(unit) !== tell) return
      this.#watched.delete(unit)
      this.#byPath.delete(pathOf(unit))
      if (this.#bus.connected) void this.#matchAll('RemoveMatch', [unit]).catch(() => {})
    }
  }

  close(): void {
    this.#ready = null
    this.#bus.close()
  }

  async #manager(
    member: string,
    signature: string,
    body: readonly unknown[],
    limits: Limits,
  ): Promise<unknown> {
    await this.#whenReady()
    const ask = { path: MANAGER_PATH, interface: MANAGER, member, body }
    return this.#bus.call(signature === '' ? ask : { ...ask, signature }, limits)
  }

  async #properties(unit: string, of: string, limits: Limits): Promise<unknown> {
    await this.#whenReady()
    const ask = { path: pathOf(unit), interface: PROPERTIES, member: 'GetAll' }
    return this.#bus.call({ ...ask, signature: 's', body: [of] }, limits)
  }

  async #fileState(unit: string, limits: Limits): Promise<string> {
    try {
      return text.parse(await this.#manager('GetUnitFileState', 's', [unit], limits))
    } catch (error) {
      // One that has no file: made by systemd itself, or by hand for this run.
      if (error instanceof SystemdRefuses) return 'none'
      throw error
    }
  }

  /** Without `Subscribe` systemd sends no signals of units (its issue 36413); a new connection begins anew. */
  #whenReady(): Promise<void> {
    if (this.#ready && this.#bus.connected) return this.#ready
    const ready = this.#prepare()
    this.#ready = ready
    ready.catch(() => {
      if (this.#ready === ready) this.#ready = null
    })
    return ready
  }

  async #prepare(): Promise<void> {
    try {
      await this.#bus.call({ path: MANAGER_PATH, interface: MANAGER, member: 'Subscribe' })
    } catch (error) {
      if (!(error instanceof SystemdRefuses && error.error.endsWith('.AlreadySubscribed')))
        throw error
    }
    await this.#matchAll('AddMatch', [...this.#watched.keys()])
  }

  async #matchAll(member: 'AddMatch' | 'RemoveMatch', units: readonly string[]): Promise<void> {
    const sender = `type='signal',sender='${SYSTEMD}'`
    const jobs = ['JobNew', 'JobRemoved'].map(
      (member) => `interface='${MANAGER}',member='${member}'`,
    )
    const rules = units.flatMap((unit) => [
      ...jobs.map((job) => `${sender},${job},arg2='${unit}'`),
      `${sender},interface='${PROPERTIES}',member='PropertiesChanged',path='${pathOf(unit)}'`,
    ])
    await Promise.all(rules.map((rule) => this.#bus.match(member, rule)))
  }

  #take({ path, member, body }: Signal): void {
    switch (member) {
      case 'JobNew': {
        const { data } = jobNew.safeParse(body)
        if (data) this.#watched.get(data[2])?.({ type: 'jobNew', job: data[1] })
        break
      }
      case 'JobRemoved': {
        const { data } = jobRemoved.safeParse(body)
        const [, job = '', unit = '', result = ''] = data ?? []
        this.#watched.get(unit)?.({ type: 'jobRemoved', job, result })
        break
      }
      case 'PropertiesChanged': {
        const { data } = changed.safeParse(body)
        const tell = this.#watched.get(this.#byPath.get(path) ?? '')
        if (data) tell?.({ type: 'changed', properties: data[1] })
        break
      }
    }
  }
}

/** The object of a unit: each byte that is no letter or digit as two digits after a "_". */
export function pathOf(unit: string): string {
  const escaped = [...Buffer.from(unit)]
    .map((byte, i) => {
      const char = String.fromCharCode(byte)
      const plain = i === 0 ? /[A-Za-z]/ : /[A-Za-z0-9]/
      return plain.test(char) ? char : `_${byte.toString(16).padStart(2, '0')}`
    })
    .join('')
  return `${MANAGER_PATH}/unit/${escaped}`
}
