/**
 * Resource type `script` (S-23): an operator's executable that knows how to start, stop and check
 * something. What `online` leaves running is the workload: the guard starts that action itself, so
 * all that it forks is in a kill group of the guard, however it daemonises (G2, G4 a). Every other
 * action is a short call for an answer, and nothing that it starts outlives it.
 */
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HostPolicy } from '../../schema/host-policy.ts'
import { type Answer, NotImplemented, type ResourceModule } from '../../schema/resource-type.ts'
import {
  SCRIPT_EXIT,
  type ScriptProperties,
  scriptProperties,
} from '../../schema/resource-types/script.ts'
import { ShellEnded } from '../os/action-shell.ts'
import type { ActionEnd } from './action.ts'
import { eachOf, programProblem, userOf, validateProgram, warm } from './program.ts'
import { outcomeOf, ScriptActions, type ScriptCall, variables } from './script-actions.ts'
import { startAndWait } from './start-and-wait.ts'

const AT_ONCE = availableParallelism() * 4

const NOT_OURS = 'it runs, but not by this host’s guard, which could not end it: stop it by hand'
/** How often what runs past the guard is asked to stop, and looked at. */
const OUTSIDE_EVERY_MS = 5_000

export function createScript(
  policy: NonNullable<HostPolicy['script']>,
): ResourceModule<ScriptProperties> {
  const actions = new ScriptActions(policy)
  const outside = new Outside(actions)
  /** Stopped here and not started since: what is said of it is not asked of the script. */
  const stopped = new Set<string>()
  const check = async (call: ScriptCall, action: 'isAlive' | 'looksAlive'): Promise<Answer> => {
    const { guid, persistentState } = call
    // What is wanted and stopped is on its way to another node. Unwanted, it is looked for (S-73).
    if (persistentState === 1 && stopped.has(guid)) return { guid, status: 'offline' }
    const found = await look(actions, call, action)
    const past = persistentState === 1 && found.detail === NOT_OURS
    return { guid, ...(past ? await outside.found(call) : found) }
  }
  const starts = (action: 'online' | 'retry') => (call: ScriptCall) =>
    outside.during(call, async () => {
      if (!call.properties.actions.includes(action)) throw new NotImplemented(action)
      stopped.delete(call.guid)
      await start(actions, outside, call, action)
    })
  return {
    type: 'script',
    version: '1.0.0',
    properties: scriptProperties,
    host: 'rhs-exec',
    way: 'child',
    validate: async (call) => validateProgram(policy, call),
    prepareOnline: (call) => warm(call.properties.command, call.signal),
    open: (call) => actions.done(call, 'open'),
    async close(call) {
      stopped.delete(call.guid)
      await actions.done(call, 'close')
    },
    online: starts('online'),
    retry: starts('retry'),
    offline: (call) =>
      outside.during(call, async () => {
        await actions.done(call, 'offline')
        // Nothing that is left counts as stopped.
        await call.workload.stop()
        if (await actions.runsOutside(call)) throw new Error(NOT_OURS)
        await actions.endAll(call.guid)
        stopped.add(call.guid)
      }),
    terminate: (call) =>
      outside.during(call, async () => {
        // The guard's kill needs no script, and waits for none (S-41).
        if (call.properties.actions.includes('terminate'))
          await actions.done(call, 'terminate').catch((error) => call.log(String(error)))
        await call.workload.stop()
        await outside.hold(call, call.log)
        await actions.endAll(call.guid)
        stopped.add(call.guid)
      }),
    isAlive: (calls) => eachOf(calls, AT_ONCE, (call) => check(call, 'isAlive')),
    looksAlive: (calls) => eachOf(calls, AT_ONCE, (call) => check(call, 'looksAlive')),
    watch: (call, push) =>
      call.workload.onExit((exit) => {
        if (!exit.left)
          push({ guid: call.guid, status: 'failed', detail: 'nothing of it runs any more' })
      }),
  }
}

/**
 * What runs past the guard: handed to the service manager, or started by hand. The guard can
 * neither see nor end it, so the script's own `offline` is asked to. Nothing may say that it is
 * stopped, or failed, while it runs: then the group would be started on another node too (G5).
 */
class Outside {
  readonly #actions: ScriptActions
  /** Entry points under way by resource: then those see to it, and not the checks. */
  readonly #during = new Map<string, number>()
  readonly #endings = new Map<string, Promise<boolean>>()

  constructor(actions: ScriptActions) {
    this.#actions = actions
  }

  /** An entry point begins when nothing is being ended by a check any more. */
  async during(call: ScriptCall, work: () => Promise<void>): Promise<void> {
    const { guid } = call
    this.#during.set(guid, (this.#during.get(guid) ?? 0) + 1)
    try {
      if (this.#endings.has(guid)) {
        await this.#endings.get(guid)
        call.signal.throwIfAborted()
      }
      await work()
    } finally {
      const left = (this.#during.get(guid) ?? 1) - 1
      if (left > 0) this.#during.set(guid, left)
      else this.#during.delete(guid)
    }
  }

  /** By a check, of what is wanted: ended before it is called failed. */
  async found(call: ScriptCall): Promise<Omit<Answer, 'guid'>> {
    const { guid } = call
    if (this.#during.has(guid)) return { status: 'unknown', detail: NOT_OURS }
    let ending = this.#endings.get(guid)
    if (!ending) {
      ending = this.end(call)
        .catch(() => true)
        .finally(() => this.#endings.delete(guid))
      this.#endings.set(guid, ending)
    }
    // Failed would have it started again, here or elsewhere, beside the one that runs.
    if (await ending) return { status: 'unknown', detail: NOT_OURS }
    return {
      status: 'failed',
      detail: 'it ran past this host’s guard; its own offline has ended it',
    }
  }

  /** The script's own `offline`, once. @returns whether it runs on */
  async end(call: ScriptCall): Promise<boolean> {
    call.log('it runs past this host’s guard: its own offline is called')
    await this.#actions.done(call, 'offline').catch((error) => call.log(String(error)))
    call.signal.throwIfAborted()
    return this.#actions.runsOutside(call)
  }

  /**
   * Resolves when nothing of it runs past the guard; until then its own `offline` is called again
   * and again.
   *
   * @throws {Error} the call was given up while it ran
   */
  async hold(call: ScriptCall, say: (note: string) => void): Promise<void> {
    try {
      if (!(await this.#actions.runsOutside(call))) return
      while (await this.end(call)) {
        say(NOT_OURS)
        await sleep(OUTSIDE_EVERY_MS, undefined, { signal: call.signal })
        if (!(await this.#actions.runsOutside(call))) return
      }
    } catch (error) {
      throw new Error(NOT_OURS, { cause: error })
    }
  }
}

/** Online, or another try of it. Resolves when the script says done and something runs. */
async function start(
  actions: ScriptActions,
  outside: Outside,
  call: ScriptCall,
  action: 'online' | 'retry',
): Promise<void> {
  if (call.workload.process !== null) {
    const found = await look(actions, call, 'isAlive')
    // Given up meanwhile: what is stopped from here on may be what the next call has started.
    call.signal.throwIfAborted()
    if (found.status === 'online') return
    call.log(`what runs of it is ended first: it is ${found.status}`)
    await call.workload.stop()
    call.signal.throwIfAborted()
  }
  const { properties: p } = call
  const end = await startAndWait(call, p.timeouts.onlineMs, {
    command: p.command,
    args: [...p.args, action],
    env: variables(call, action),
    daemon: true,
    ...(p.cwd !== undefined && { cwd: p.cwd }),
    ...(p.user !== undefined && userOf(p.user)),
  })
  const detail = `${action}: ${outcomeOf(end)}`
  if (end.code === SCRIPT_EXIT.done && end.left) return
  await call.workload.stop()
  if (end.code === SCRIPT_EXIT.notImplemented) throw new NotImplemented(action)
  call.signal.throwIfAborted()
  // It says that it has started something: that is somewhere, and only the script knows where.
  if (end.code === SCRIPT_EXIT.done) await outside.end(call)
  await outside.hold(call, call.progress)
  if (end.code !== SCRIPT_EXIT.done) throw new Error(detail)
  throw new Error(
    `${action} has left no process running. A script is for what runs as processes of its own: ` +
      'the guard could not end anything else when the lease ends',
  )
}

const GIVEN_UP = { status: 'unknown', detail: 'the check was given up' } as const

/** S-43, S-44. What the guard sees of processes comes first, then what the script says. */
async function look(
  actions: ScriptActions,
  call: ScriptCall,
  action: 'isAlive' | 'looksAlive',
): Promise<Omit<Answer, 'guid'>> {
  const runs = call.workload.process !== null
  const { actions: has, command } = call.properties
  const asked = has.includes(action) ? action : 'isAlive'
  const byGuard: Omit<Answer, 'guid'> = { status: runs ? 'online' : 'offline' }
  const problem = action === 'looksAlive' ? programProblem(command) : null
  const good = problem && runs ? { ...byGuard, detail: problem } : byGuard
  if (!has.includes(asked)) return good
  let end: ActionEnd
  try {
    end = await actions.run(call, asked)
  } catch (error) {
    if (call.signal.aborted) return GIVEN_UP
    const detail = `${asked}: ${messageOf(error)}`
    // S-32: nothing is known of it, and nothing is said of it.
    if (error instanceof ShellEnded) return { status: 'unknown', detail }
    return { status: runs ? 'failed' : 'offline', detail }
  }
  // It may have ended while the script was asked.
  if (runs && call.workload.process === null) return { status: 'offline' }
  // Or begun: what the script has said is then of neither.
  if (!runs && call.workload.process !== null) return { status: 'unknown' }
  if (call.signal.aborted) return GIVEN_UP
  switch (end.code) {
    case SCRIPT_EXIT.done:
      if (runs) return good
      // S-73, S-77. Wanted, it would be counted as online and could run on after the lease.
      return { status: call.persistentState === 0 ? 'online' : 'failed', detail: NOT_OURS }
    case SCRIPT_EXIT.notImplemented:
      return good
    case SCRIPT_EXIT.notRunning:
      return { status: 'offline', ...(runs && { detail: `${asked}: ${outcomeOf(end)}` }) }
    case SCRIPT_EXIT.unknown:
      return { status: 'unknown', detail: `${asked}: ${outcomeOf(end)}` }
    default:
      return { status: runs ? 'failed' : 'offline', detail: `${asked}: ${outcomeOf(end)}` }
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
