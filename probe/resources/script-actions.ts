/** The short calls of scripts: which are under way, and what an end of one means. */
import type { HostPolicy } from '../../schema/host-policy.ts'
import { allows } from '../../schema/host-policy.ts'
import { type Call, NotImplemented } from '../../schema/resource-type.ts'
import {
  SCRIPT_EXIT,
  type ScriptAction,
  type ScriptProperties,
} from '../../schema/resource-types/script.ts'
import { type ActionEnd, lastLines, runAction } from './action.ts'
import { environment, userOf } from './program.ts'

export type ScriptCall = Call<ScriptProperties>
type ScriptPolicy = NonNullable<HostPolicy['script']>

interface UnderWay {
  readonly abort: AbortController
  readonly gone: Promise<void>
}

export class ScriptActions {
  readonly #policy: ScriptPolicy
  readonly #underWay = new Map<string, Set<UnderWay>>()

  constructor(policy: ScriptPolicy) {
    this.#policy = policy
  }

  /** @throws {Error} the host policy forbids it, or it cannot be executed */
  async run(call: ScriptCall, action: ScriptAction): Promise<ActionEnd> {
    const { command, args, cwd, user, timeouts } = call.properties
    if (!allows(this.#policy.commands, command))
      throw new Error(`hostPolicy: this host's policy does not allow ${command}`)
    if (user !== undefined && !this.#policy.users?.includes(user))
      throw new Error(`hostPolicy: this host's policy does not allow user ${user}`)
    const abort = new AbortController()
    const running = runAction({
      command,
      args: [...args, action],
      env: variables(call, action),
      timeoutMs: timeoutOf(timeouts, action),
      signal: AbortSignal.any([call.signal, abort.signal]),
      ...(cwd !== undefined && { cwd }),
      ...(user !== undefined && userOf(user)),
    })
    this.#note(call.guid, abort, running)
    return running
  }

  /** Until nothing of it runs: an answer may come before that, if it cannot be killed at once. */
  #note(guid: string, abort: AbortController, running: Promise<ActionEnd>): void {
    const gone = running.then(
      (end) => end.gone,
      () => {},
    )
    const all = this.#underWay.get(guid) ?? new Set()
    const one = { abort, gone }
    this.#underWay.set(guid, all.add(one))
    void gone.then(() => {
      all.delete(one)
      if (all.size === 0 && this.#underWay.get(guid) === all) this.#underWay.delete(guid)
    })
  }

  /**
   * Ends what is under way for this resource, and resolves when nothing of it runs. What is said to
   * be stopped must not be looked at, or worse, by something that still runs (G5).
   */
  async endAll(guid: string): Promise<void> {
    const all = [...(this.#underWay.get(guid) ?? [])]
    for (const { abort } of all) abort.abort(new Error('it is stopped'))
    await Promise.all(all.map(({ gone }) => gone))
  }

  /** A call where nothing but "done" will do. @throws {NotImplemented} */
  async done(call: ScriptCall, action: 'open' | 'close' | 'offline' | 'terminate'): Promise<void> {
    if (!call.properties.actions.includes(action)) throw new NotImplemented(action)
    const end = await this.run(call, action)
    if (end.code === SCRIPT_EXIT.notImplemented) throw new NotImplemented(action)
    // Stopping what does not run is success (S-40).
    const stops = action === 'offline' || action === 'terminate'
    if (end.code === SCRIPT_EXIT.done || (stops && end.code === SCRIPT_EXIT.notRunning)) return
    throw new Error(`${action}: ${outcomeOf(end)}`)
  }

  /** Whether `isAlive` says that it runs though nothing of the kill group does. */
  async runsOutside(call: ScriptCall): Promise<boolean> {
    if (call.workload.process !== null || !call.properties.actions.includes('isAlive')) return false
    try {
      return (await this.run(call, 'isAlive')).code === SCRIPT_EXIT.done
    } catch (error) {
      // Given up: it is whoever is called next who looks.
      if (call.signal.aborted) throw error
      return false
    }
  }
}

function timeoutOf(t: ScriptProperties['timeouts'], action: ScriptAction): number {
  if (action === 'online' || action === 'retry') return t.onlineMs
  if (action === 'offline') return t.offlineMs
  if (action === 'terminate') return t.terminateMs
  return action === 'isAlive' || action === 'looksAlive' ? t.checkMs : t.otherMs
}

export function variables(call: ScriptCall, action: ScriptAction): Record<string, string> {
  const { env, parameters } = call.properties
  const own = Object.entries(parameters).map(([key, value]) => [`HOLDFAST_PROP_${key}`, value])
  return {
    ...environment(call, { ...env, ...Object.fromEntries(own) }),
    HOLDFAST_ACTION: action,
    HOLDFAST_GUID: call.guid,
    HOLDFAST_NAME: call.name,
    HOLDFAST_PERSISTENT_STATE: String(call.persistentState),
  }
}

export function outcomeOf(end: Pick<ActionEnd, 'code' | 'timedOut' | 'output'>): string {
  const how = end.timedOut
    ? 'no end in its time'
    : end.code === null
      ? 'ended by a signal'
      : `exit code ${end.code}`
  const said = lastLines(end.output)
  return said === '' ? how : `${how}: ${said}`
}
