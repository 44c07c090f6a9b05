/**
 * Resource type `script` (S-23): an operator's executable that knows how to start, stop and check
 * something. What `online` leaves running is the workload: the guard starts that action itself, so
 * all that it forks is in a kill group of the guard, however it daemonises (G2, G4 a). Every other
 * action is a short call for an answer, and nothing that it starts outlives it.
 */
import { availableParallelism } from 'node:os'
import type { HostPolicy } from '../../schema/host-policy.ts'
import { allows } from '../../schema/host-policy.ts'
import {
  type Answer,
  type Call,
  NotImplemented,
  type ResourceModule,
  type WorkloadExit,
} from '../../schema/resource-module.ts'
import {
  SCRIPT_EXIT,
  type ScriptAction,
  type ScriptProperties,
  scriptProperties,
} from '../../schema/resource-types/script.ts'
import { type ActionEnd, lastLines, runAction } from './action.ts'
import { eachOf, environment, programProblem, userOf } from './program.ts'

type ScriptCall = Call<ScriptProperties>
type ScriptPolicy = NonNullable<HostPolicy['script']>

const AT_ONCE = availableParallelism() * 4

const NOT_OURS = 'it runs, but not by this host’s guard, which could not end it: stop it by hand'

export function createScript(policy: ScriptPolicy): ResourceModule<ScriptProperties> {
  const check = async (call: ScriptCall, action: 'isAlive' | 'looksAlive') => {
    const found = await look(policy, call, action)
    return { guid: call.guid, ...found }
  }
  return {
    type: 'script',
    version: '1.0.0',
    properties: scriptProperties,
    host: 'rhs-exec',
    way: 'child',
    open: (call) => simple(policy, call, 'open'),
    close: (call) => simple(policy, call, 'close'),
    online: (call) => start(policy, call, 'online'),
    retry: (call) => start(policy, call, 'retry'),
    async offline(call) {
      await simple(policy, call, 'offline')
      // Nothing that is left counts as stopped.
      await call.workload.stop()
    },
    async terminate(call) {
      // The guard's kill needs no script, and waits for none (S-41).
      if (call.properties.actions.includes('terminate'))
        await simple(policy, call, 'terminate').catch((error) => call.log(String(error)))
      await call.workload.stop()
    },
    isAlive: (calls) => eachOf(calls, AT_ONCE, (call) => check(call, 'isAlive')),
    looksAlive: (calls) => eachOf(calls, AT_ONCE, (call) => check(call, 'looksAlive')),
    watch: (call, push) =>
      call.workload.onExit((exit) => {
        if (!exit.left)
          push({ guid: call.guid, status: 'failed', detail: 'nothing of it runs any more' })
      }),
  }
}

/** Online, or another try of it. Resolves when the script says done and something runs. */
async function start(policy: ScriptPolicy, call: ScriptCall, action: 'online' | 'retry') {
  if (!call.properties.actions.includes(action)) throw new NotImplemented(action)
  if (call.workload.process !== null) {
    const found = await look(policy, call, 'isAlive')
    if (found.status === 'online') return
    call.log(`what runs of it is ended first: it is ${found.status}`)
    await call.workload.stop()
  }
  const end = await startedEnd(call, action)
  const detail = `${action}: ${outcomeOf(end)}`
  if (end.code === SCRIPT_EXIT.done && end.left) return
  await call.workload.stop()
  if (end.code === SCRIPT_EXIT.notImplemented) throw new NotImplemented(action)
  if (end.code !== SCRIPT_EXIT.done) throw new Error(detail)
  throw new Error(
    `${action} has left no process running. A script is for what runs as processes of its own: ` +
      'the guard could not end anything else when the lease ends',
  )
}

/** Starts the action as the workload, and waits for its own process to end. */
async function startedEnd(
  call: ScriptCall,
  action: 'online' | 'retry',
): Promise<ActionEnd & { left: boolean }> {
  const { properties: p } = call
  const exits: WorkloadExit[] = []
  let wake = () => {}
  const stopListening = call.workload.onExit((exit) => {
    exits.push(exit)
    wake()
  })
  const timeout = AbortSignal.timeout(p.timeouts.onlineMs)
  const over = AbortSignal.any([timeout, call.signal])
  over.addEventListener('abort', () => wake())
  try {
    const { pid, startTicks } = await call.workload.startChild({
      command: p.command,
      args: [...p.args, action],
      env: variables(call, action),
      daemon: true,
      ...(p.cwd !== undefined && { cwd: p.cwd }),
      ...(p.user !== undefined && userOf(p.user)),
    })
    for (;;) {
      // The exit of an earlier start may come late.
      const own = exits.filter((e) => e.process?.pid === pid && e.process.startTicks === startTicks)
      const [exit] = own
      if (exit)
        return {
          code: exit.code,
          timedOut: false,
          output: exit.output ?? '',
          left: exit.left === true && own.length === 1,
        }
      if (over.aborted) return { code: null, timedOut: true, output: '', left: true }
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } finally {
    stopListening()
  }
}

/** A call for an answer only, where nothing but "done" will do. @throws {NotImplemented} */
async function simple(
  policy: ScriptPolicy,
  call: ScriptCall,
  action: 'open' | 'close' | 'offline' | 'terminate',
): Promise<void> {
  if (!call.properties.actions.includes(action)) throw new NotImplemented(action)
  const end = await run(policy, call, action)
  if (end.code === SCRIPT_EXIT.notImplemented) throw new NotImplemented(action)
  // Stopping what does not run is success (S-40).
  const stops = action === 'offline' || action === 'terminate'
  if (end.code === SCRIPT_EXIT.done || (stops && end.code === SCRIPT_EXIT.notRunning)) return
  throw new Error(`${action}: ${outcomeOf(end)}`)
}

/** S-43, S-44. What the guard sees of processes comes first, then what the script says. */
async function look(
  policy: ScriptPolicy,
  call: ScriptCall,
  action: 'isAlive' | 'looksAlive',
): Promise<Omit<Answer, 'guid'>> {
  const runs = call.workload.process !== null
  const { actions, command } = call.properties
  const asked = actions.includes(action) ? action : 'isAlive'
  const byGuard: Omit<Answer, 'guid'> = { status: runs ? 'online' : 'offline' }
  const problem = action === 'looksAlive' ? programProblem(command) : null
  const good = problem && runs ? { ...byGuard, detail: problem } : byGuard
  if (!actions.includes(asked)) return good
  let end: ActionEnd
  try {
    end = await run(policy, call, asked)
  } catch (error) {
    if (call.signal.aborted) return { status: 'unknown', detail: 'the check was given up' }
    return { status: runs ? 'failed' : 'offline', detail: `${asked}: ${messageOf(error)}` }
  }
  // It may have ended while the script was asked.
  if (runs && call.workload.process === null) return { status: 'offline' }
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

/** @throws {Error} the host policy forbids it, or it cannot be executed */
function run(policy: ScriptPolicy, call: ScriptCall, action: ScriptAction): Promise<ActionEnd> {
  const { command, args, cwd, user, timeouts } = call.properties
  if (!allows(policy.commands, command))
    throw new Error(`hostPolicy: this host's policy does not allow ${command}`)
  if (user !== undefined && !policy.users?.includes(user))
    throw new Error(`hostPolicy: this host's policy does not allow user ${user}`)
  return runAction({
    command,
    args: [...args, action],
    env: variables(call, action),
    timeoutMs: timeoutOf(timeouts, action),
    signal: call.signal,
    ...(cwd !== undefined && { cwd }),
    ...(user !== undefined && userOf(user)),
  })
}

function timeoutOf(t: ScriptProperties['timeouts'], action: ScriptAction): number {
  if (action === 'online' || action === 'retry') return t.onlineMs
  if (action === 'offline') return t.offlineMs
  if (action === 'terminate') return t.terminateMs
  return action === 'isAlive' || action === 'looksAlive' ? t.checkMs : t.otherMs
}

function variables(call: ScriptCall, action: ScriptAction): Record<string, string> {
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

function outcomeOf(end: ActionEnd): string {
  const how = end.timedOut
    ? 'no end in its time'
    : end.code === null
      ? 'ended by a signal'
      : `exit code ${end.code}`
  const said = lastLines(end.output)
  return said === '' ? how : `${how}: ${said}`
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
