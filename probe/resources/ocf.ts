/**
 * Resource type `ocf`: whatever an OCF resource agent of the host manages, without Pacemaker. The
 * guard runs `start` itself, with `stop` on record as what undoes it: so a lapse ends everything
 * that an agent can begin, its processes at once and the rest by its own `stop`, without this module
 * (G4 a, G5).
 */
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HostPolicy } from '../../schema/host-policy.ts'
import type { Answer, ResourceModule } from '../../schema/resource-type.ts'
import { CONTROLS } from '../../schema/resource-types/controls.ts'
import { OCF_EXIT, type OcfProperties, ocfProperties } from '../../schema/resource-types/ocf.ts'
import type { ActionEnd } from './action.ts'
import { OcfActions, type OcfCall, outcomeOf } from './ocf-actions.ts'
import { eachOf } from './program.ts'
import { startAndWait } from './start-and-wait.ts'

const AT_ONCE = availableParallelism() * 4
const LOOK_AGAIN_MS = [0, 250, 1_000]

/** It runs, but by no start of the guard: its Online, which changes nothing, puts it on record. */
const NOT_ON_RECORD = 'it runs, but was not started by this host’s guard: it is taken over'

export function createOcf(section: NonNullable<HostPolicy['ocf']>): ResourceModule<OcfProperties> {
  const actions = new OcfActions(section)
  const check = (calls: readonly OcfCall[], thorough: boolean) =>
    eachOf(calls, AT_ONCE, (call) => look(actions, call, thorough))
  return {
    type: 'ocf',
    version: '1.0.0',
    properties: ocfProperties,
    host: 'rhs-exec',
    way: 'child',
    async validate(call) {
      await actions.checked(call)
    },
    async open(call) {
      await actions.checked(call)
    },
    online: (call) => start(actions, call),
    async offline(call) {
      const end = await actions.run(call, 'stop')
      if (end.code !== OCF_EXIT.success) throw new Error(`stop: ${outcomeOf(end)}`)
      await call.workload.stop()
    },
    async terminate(call) {
      if (call.workload.process !== null) return call.workload.stop()
      const end = await actions.run(call, 'stop')
      if (end.code !== OCF_EXIT.success) throw new Error(`stop: ${outcomeOf(end)}`)
    },
    controls: CONTROLS.ocf,
    async control(call, _, { depth }) {
      const end = await actions.run(call, 'monitor', Number(depth))
      return { exitCode: end.code, says: end.output }
    },
    isAlive: (calls) => check(calls, false),
    looksAlive: (calls) => check(calls, true),
    watch: (call, push) =>
      call.workload.onExit((exit) => {
        if (!exit.left) push({ guid: call.guid, status: 'failed', detail: 'it has ended' })
        else if (exit.empty) void lookSoon(actions, call, push)
      }),
  }
}

async function start(actions: OcfActions, call: OcfCall): Promise<void> {
  const metaData = await actions.checked(call)
  if (call.workload.process !== null) {
    const { status } = await look(actions, call, false)
    call.signal.throwIfAborted()
    if (status === 'online') return
    call.log(`what is left of it is ended first: it is ${status}`)
    await call.workload.stop()
    call.signal.throwIfAborted()
  }
  const command = actions.pathOf(call)
  const startMs = actions.timeoutMs(call, 'start', metaData)
  const stopMs = actions.timeoutMs(call, 'stop', metaData)
  const end = await startAndWait(call, startMs, {
    command,
    args: ['start'],
    env: actions.variables(call, 'start', startMs),
    daemon: true,
    undo: {
      kind: 'command',
      command,
      args: ['stop'],
      env: actions.variables(call, 'stop', stopMs),
      timeoutMs: stopMs,
    },
  })
  if (end.code === OCF_EXIT.success) return
  // A start that has failed may have left anything: the agent's own stop clears it away.
  await call.workload.stop()
  throw new Error(`start: ${outcomeOf(end)}`)
}

/**
 * Its processes have ended: a daemon has died, or a helper of the start is done. The agent knows
 * which. It may take a dead process for a live one until that is reaped, so it is asked again.
 */
async function lookSoon(
  actions: OcfActions,
  call: OcfCall,
  push: (answer: Answer) => void,
): Promise<void> {
  for (const ms of LOOK_AGAIN_MS) {
    await sleep(ms)
    const answer = await look(actions, call, false)
    if (answer.status === 'online' || call.workload.process === null) continue
    push(answer)
    return
  }
}

/** S-43, S-44: what `monitor` says, at depth 0 or at the deepest that there is. */
async function look(actions: OcfActions, call: OcfCall, thorough: boolean): Promise<Answer> {
  const { guid, properties, persistentState } = call
  let end: ActionEnd
  try {
    const { depths } = await actions.metaData(call)
    const depth = thorough ? (properties.depth ?? depths.at(-1) ?? 0) : 0
    end = await actions.run(call, 'monitor', depth)
  } catch (error) {
    const given = call.signal.aborted ? 'the check was given up' : String((error as Error).message)
    return { guid, status: 'unknown', detail: given }
  }
  if (call.signal.aborted) return { guid, status: 'unknown', detail: 'the check was given up' }
  const onRecord = call.workload.process !== null
  const detail = `monitor: ${outcomeOf(end)}`
  switch (end.code) {
    case OCF_EXIT.success:
    case OCF_EXIT.promoted:
    case OCF_EXIT.degraded:
    case OCF_EXIT.degradedPromoted: {
      const degraded = end.code === OCF_EXIT.degraded || end.code === OCF_EXIT.degradedPromoted
      const said = end.code === OCF_EXIT.success ? {} : { detail, ...(degraded && { degraded }) }
      if (onRecord || persistentState === 0) return { guid, status: 'online', ...said }
      return { guid, status: 'offline', detail: NOT_ON_RECORD }
    }
    case OCF_EXIT.notRunning:
      return { guid, status: 'offline', ...(onRecord && { detail }) }
    default:
      // Not on record, it is not ours to be restarted; what is wrong with it is said.
      return { guid, status: onRecord ? 'failed' : 'offline', detail }
  }
}
