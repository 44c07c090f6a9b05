/**
 * Resource type `systemd-unit`: one service that only the cluster starts. systemd executes a start
 * later than it is asked for, so it looks at a mark that the guard alone sets and takes back (G4): the
 * guard has the unit on record, asks for the start itself, and ends it by its cgroup (G5), without
 * this module and without systemd.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { allows, type HostPolicy } from '../../schema/host-policy.ts'
import type { Answer, Call, ResourceModule } from '../../schema/resource-type.ts'
import { CONTROLS } from '../../schema/resource-types/controls.ts'
import {
  type SystemdUnitProperties,
  systemdUnitProperties,
} from '../../schema/resource-types/systemd-unit.ts'
import { cgroupMount } from '../os/cgroup-tree.ts'
import { busAddress, unitDropIn, unitMark, unitStart } from '../os/unit-starts.ts'
import { SystemdGone } from '../systemd/bus.ts'
import {
  absence,
  armedText,
  cgroupOf,
  looksAt,
  obstacle,
  type UnitFacts,
} from '../systemd/facts.ts'
import { HeldUnit } from '../systemd/held-unit.ts'
import { Systemd, type UnitState } from '../systemd/manager.ts'
import { describe, isDown, isUp } from '../systemd/verdict.ts'
import { lastLines } from './action.ts'
import { environment } from './program.ts'
import { startAndWait } from './start-and-wait.ts'

type UnitCall = Call<SystemdUnitProperties>
type Section = NonNullable<HostPolicy['systemd-unit']>

/** To ask for the start; what the start itself takes is the unit's own. */
const ASK_MS = 10_000
/** A unit file may change while it is being looked at, and be read anew for that. */
const RELOADS_MAX = 3

export function createSystemdUnit(section: Section): ResourceModule<SystemdUnitProperties> {
  const units = new Units(section)
  return {
    type: 'systemd-unit',
    version: '1.0.0',
    properties: systemdUnitProperties,
    host: 'rhs',
    way: 'child',
    validate: (call) => units.validate(call),
    open: (call) => units.open(call),
    close: async (call) => units.close(call),
    online: (call) => units.online(call),
    offline: (call) => units.offline(call),
    terminate: (call) => units.terminate(call),
    controls: CONTROLS['systemd-unit'],
    control: (call, code) => units.control(call, code),
    isAlive: (calls) => units.isAlive(calls),
    looksAlive: (calls) => units.looksAlive(calls),
    watch: (call, push) => units.watch(call, push),
  }
}

class Units {
  readonly #section: Section
  readonly #systemd: Systemd
  readonly #held = new Map<string, HeldUnit>()

  constructor(section: Section) {
    this.#section = section
    this.#systemd = new Systemd(busAddress(section))
  }

  /** Of what comes with another resource of the group only the policy is asked. */
  async validate({ properties: { unit }, dependent, signal }: UnitCall): Promise<void> {
    const { units, runFolder = '/run' } = this.#section
    if (!allows(units, unit))
      throw new Error(`hostPolicy: this host's policy does not allow unit ${unit}`)
    if (!existsSync(join(runFolder, 'systemd/system')))
      throw new Error('this host was not booted with systemd: use type process or script here')
    if (cgroupMount() === null)
      throw new Error('this host has no cgroup v2, by which the processes of a unit are ended')
    if (dependent) return
    await this.#refuse(unit, await this.#systemd.facts(unit, { signal }), signal)
  }

  hold({ guid, properties: { unit } }: Pick<UnitCall, 'guid' | 'properties'>): HeldUnit {
    const known = this.#held.get(guid)
    if (known?.unit === unit) return known
    for (const [other, held] of this.#held)
      if (held.unit === unit && other !== guid)
        throw new Error(`unit ${unit} belongs to another resource on this host (${other})`)
    known?.forget()
    const held = new HeldUnit(unit, this.#systemd)
    this.#held.set(guid, held)
    return held
  }

  /** S-37. A systemd that cannot be asked now may be there before it is needed: no failure. */
  async open(call: UnitCall): Promise<void> {
    const { unit } = this.hold(call)
    try {
      await this.#systemd.state(unit, { signal: call.signal })
    } catch (error) {
      call.log(messageOf(error))
    }
  }

  close({ guid }: UnitCall): void {
    this.#held.get(guid)?.forget()
    this.#held.delete(guid)
    if (this.#held.size === 0) this.#systemd.close()
  }

  /** S-39. Running already, but not by the guard, it is put on record: its start changes nothing. */
  async online(call: UnitCall): Promise<void> {
    const held = this.hold(call)
    const { unit } = held
    const { workload, signal } = call
    await held.start(async () => {
      if (workload.process !== null) {
        if (isUp((await this.#systemd.state(unit, { signal })).activeState)) return
        // G7: what is on record ends by the guard, also when nothing of it seems to run.
        await workload.stop()
        signal.throwIfAborted()
      }
      const facts = await this.#marked(unit, signal)
      await this.#systemd.resetFailed(unit, { signal }).catch(() => {})
      const job = await this.#ask(call, facts)
      try {
        await this.#started(held, job, call)
      } catch (error) {
        if (!signal.aborted) await workload.stop()
        throw error
      }
    })
  }

  /** S-40. systemd stops it in its own way; what is left after its time is killed. */
  async offline(call: UnitCall): Promise<void> {
    const held = this.hold(call)
    held.stopping()
    try {
      await this.#stop(held, call)
    } catch (error) {
      if (call.signal.aborted) throw error
      call.log(`systemd does not stop it: ${messageOf(error)}. It is killed.`)
    }
    await this.#end(held, call)
  }

  /** S-41. By the guard, whatever systemd says; systemd is only told of it. */
  async terminate(call: UnitCall): Promise<void> {
    const held = this.#held.get(call.guid)
    held?.stopping()
    // Not held: it may be another resource's, and only what is on record is ended.
    await (held ? this.#end(held, call) : call.workload.stop())
  }

  async control(call: UnitCall, code: string): Promise<unknown> {
    const { unit } = this.hold(call)
    const { signal } = call
    if (code === 'status') {
      const state = await this.#systemd.state(unit, { signal })
      return { ...state, ...(await this.#systemd.end(unit, { signal })) }
    }
    const job = await this.#systemd.reloadUnit(unit, { signal })
    const result = await this.hold(call).jobEnd(job, signal, () => {})
    if (result !== 'done') throw new Error(`the reload of ${unit} has ended with: ${result}`)
    return null
  }

  /** S-43. One question for all of them. */
  async isAlive(calls: readonly UnitCall[]): Promise<readonly Answer[]> {
    const [first] = calls
    if (!first) return []
    try {
      const units = calls.map((call) => call.properties.unit)
      const states = await this.#systemd.list(units, { signal: first.signal })
      return await Promise.all(calls.map((call, i) => this.#statusOf(call, states[i] as UnitState)))
    } catch (error) {
      return calls.map(({ guid }) => unknown(guid, error))
    }
  }

  /** S-44. What would start it past the cluster is said, and nothing is restarted for it. */
  async looksAlive(calls: readonly UnitCall[]): Promise<readonly Answer[]> {
    const answers = await this.isAlive(calls)
    return Promise.all(
      answers.map(async (answer, i) => {
        const { properties, signal, guid } = calls[i] as UnitCall
        if (answer.status !== 'online') return answer
        try {
          const facts = await this.#systemd.facts(properties.unit, { signal })
          const problem = await this.#problem(properties.unit, facts, signal)
          return problem === null ? answer : { ...answer, degraded: true, detail: problem }
        } catch (error) {
          return unknown(guid, error)
        }
      }),
    )
  }

  /** S-36. */
  watch(call: UnitCall, push: (answer: Answer) => void): () => void {
    let watching = true
    const stop = this.hold(call).watch(async ({ status, detail }) => {
      // A stop because the host goes down is nobody's wish for this unit. Who cannot be asked may be going too.
      const noIntent = status === 'stopped' && (await this.#systemd.isStopping().catch(() => true))
      if (!watching) return
      push({ guid: call.guid, detail, status: noIntent ? 'offline' : status })
      // Nobody brings it back before the cluster wants it: the permission ends with the wish.
      if (status === 'stopped' && !noIntent) await call.workload.stop()
    })
    return () => {
      watching = false
      stop()
    }
  }

  async #statusOf(call: UnitCall, state: UnitState): Promise<Answer> {
    const { guid, persistentState, properties, workload } = call
    const { unit } = properties
    const { activeState, subState, jobId, loadState } = state
    const onRecord = workload.process !== null
    if (isUp(activeState)) {
      if (onRecord || persistentState === 0) return { guid, status: 'online' }
      return { guid, status: 'offline', detail: NOT_ON_RECORD }
    }
    const verdict = this.#held.get(guid)?.run.verdict ?? null
    const stopped = verdict?.status === 'stopped' && isDown(activeState) && persistentState === 1
    if (stopped && !(await this.#systemd.isStopping())) return { guid, ...verdict }
    if (!onRecord) {
      const detail = loadState === 'loaded' ? {} : { detail: `unit ${unit} is ${loadState}` }
      return { guid, status: 'offline', ...detail }
    }
    const detail = `${unit} is ${activeState} (${subState})`
    if (activeState === 'activating') return { guid, status: 'onlinePending', detail }
    if (!isDown(activeState)) return { guid, status: 'offlinePending', detail }
    if (jobId !== 0) return { guid, status: 'offlinePending', detail: `${detail}, with a job` }
    if (verdict?.status === 'failed') return { guid, ...verdict }
    const end = await this.#systemd.end(unit, { signal: call.signal })
    // An end that nobody has watched may have been any: keep it running.
    const status = end.result === 'success' ? 'offline' : 'failed'
    return { guid, status, detail: describe(end) }
  }

  /** The facts, once systemd looks at the mark of the unit and has read all that is in its files. */
  async #marked(unit: string, signal: AbortSignal): Promise<UnitFacts> {
    for (let reloads = 0; ; reloads += 1) {
      const facts = await this.#systemd.facts(unit, { signal })
      const written = writeDropIn(this.#section, unit)
      const marked = looksAt(facts, unitMark(this.#section, unit))
      if (marked && !written && !facts.NeedDaemonReload) {
        await this.#refuse(unit, facts, signal)
        return facts
      }
      // What cannot be had anyway is not worth it.
      const missing = absence(unit, facts)
      if (missing && !facts.NeedDaemonReload) throw new Error(missing)
      if (reloads === RELOADS_MAX)
        throw new Error(
          `systemd does not look at ${unitMark(this.#section, unit)} before it starts ${unit}: ` +
            `see what takes the assertion away: systemctl cat ${unit}`,
        )
      await this.#systemd.reload(signal)
    }
  }

  /** G3, G4: the guard records it, sets the mark, and has systemd asked for the start. */
  async #ask(call: UnitCall, facts: UnitFacts): Promise<string> {
    const { unit } = call.properties
    const end = await startAndWait(call, ASK_MS, {
      ...unitStart(this.#section, unit),
      env: environment(call, {}),
      daemon: true,
      undo: { kind: 'unit', unit, cgroup: cgroupOf(facts), mark: unitMark(this.#section, unit) },
    })
    const [, job] = /^o "(.*)"$/m.exec(end.output) ?? []
    if (end.code === 0 && job !== undefined) return job
    await call.workload.stop()
    throw new Error(`systemd does not start it: ${lastLines(end.output) || 'no answer'}`)
  }

  /** @throws {Error} it has not come up, and why */
  async #started(held: HeldUnit, job: string, call: UnitCall): Promise<void> {
    const { unit } = held
    const { signal } = call
    const result = await held.jobEnd(job, signal, (note) => call.progress(note))
    if (result === 'done') {
      const { activeState } = await this.#systemd.state(unit, { signal })
      if (!isDown(activeState)) return
    }
    const why = WHY[result]
    if (why) throw new Error(`${unit} has not come up: ${why}`)
    const end = await this.#systemd.end(unit, { signal })
    throw new Error(
      `${unit} has not come up (job: ${result}): ${describe(end)}. journalctl -u ${unit} -n 20`,
    )
  }

  async #stop(held: HeldUnit, call: UnitCall): Promise<void> {
    const { stopTimeoutMs } = call.properties
    if (stopTimeoutMs === 0) return
    const { activeState, jobId } = await this.#systemd.state(held.unit, { signal: call.signal })
    if (isDown(activeState) && jobId === 0) return
    const late = AbortSignal.timeout(stopTimeoutMs)
    const signal = AbortSignal.any([call.signal, late])
    try {
      const job = await this.#systemd.stop(held.unit, { signal })
      await held.jobEnd(job, signal, (note) => call.progress(note))
    } catch (error) {
      if (!late.aborted || call.signal.aborted) throw error
      throw new Error(`it takes longer than ${stopTimeoutMs} ms`)
    }
  }

  /** G5: by the guard. One that it has not started, systemd has to kill. */
  async #end({ unit }: HeldUnit, call: UnitCall): Promise<void> {
    const onRecord = call.workload.process !== null
    await call.workload.stop()
    try {
      if (!onRecord && !isDown((await this.#systemd.state(unit)).activeState))
        await this.#systemd.kill(unit)
      // Takes a start that still waits for other units out of systemd's queue, mark or no mark.
      if ((await this.#systemd.state(unit)).jobId !== 0) await this.#systemd.stop(unit)
    } catch (error) {
      if (!onRecord && !(error instanceof SystemdGone)) throw error
      call.log(`systemd does not say that ${unit} is gone: ${messageOf(error)}`)
    }
  }

  /** @throws {Error} the cluster cannot have this unit on this host, and what to do about it */
  async #refuse(unit: string, facts: UnitFacts, signal: AbortSignal): Promise<void> {
    const problem = absence(unit, facts) ?? (await this.#problem(unit, facts, signal))
    if (problem) throw new Error(problem)
  }

  async #problem(unit: string, facts: UnitFacts, signal: AbortSignal): Promise<string | null> {
    const problem = obstacle(unit, facts)
    if (problem || facts.TriggeredBy.length === 0) return problem
    const armed = await this.#systemd.armed(facts.TriggeredBy, { signal })
    return armed.length === 0 ? null : armedText(unit, armed)
  }
}

const NOT_ON_RECORD = 'it runs, but was not started by this host’s guard: it is taken over'

/** Results of a job whose reason is not to be found with the unit itself. */
const WHY: Readonly<Record<string, string>> = {
  dependency: 'a unit that it requires has not come up (systemctl list-dependencies shows which)',
  canceled: 'its start was cancelled by another job of systemd',
  timeout: 'its job has waited for longer than JobTimeoutSec= allows',
  assert: 'an assertion of it does not hold (systemctl status shows which)',
  skipped: 'a condition of it does not hold (systemctl status shows which)',
}

/** @returns whether it was not there as it is now */
function writeDropIn(section: Section, unit: string): boolean {
  const { path, text } = unitDropIn(section, unit)
  try {
    if (readFileSync(path, 'utf8') === text) return false
  } catch {
    // It is not there yet.
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  writeFileSync(`${path}.new`, text, { mode: 0o644 })
  renameSync(`${path}.new`, path)
  return true
}

function unknown(guid: string, error: unknown): Answer {
  return { guid, status: 'unknown', detail: messageOf(error) }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
