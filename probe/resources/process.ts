import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer, Call, ProcessRef, ResourceModule } from '../../schema/resource-type.ts'
import { CONTROLS } from '../../schema/resource-types/controls.ts'
import { type ProcessProperties, processProperties } from '../../schema/resource-types/process.ts'
import { exists, isAlive as lives } from '../gate/proc.ts'
import { environment, programProblem, userOf, warm } from './program.ts'

/**
 * Resource type `process`: one program and everything it forks, a daemonised grandchild included.
 * It lives as long as its main process; what that leaves behind is killed before anything else is
 * started. The guard starts it in one step with the lease check (G4 a).
 */
export const processModule: ResourceModule<ProcessProperties> = {
  type: 'process',
  version: '1.0.0',
  properties: processProperties,
  host: 'rhs',
  way: 'child',

  async online(call) {
    const { properties: p } = call
    const started = await call.workload.startChild({
      command: p.command,
      args: p.args,
      env: environment(call, p.env),
      ...(p.cwd !== undefined && { cwd: p.cwd }),
      ...(p.user !== undefined && userOf(p.user)),
    })
    if (p.startGraceMs > 0) await sleep(p.startGraceMs, undefined, { signal: call.signal })
    if (!lives(started)) throw new Error('it ended as soon as it had started')
  },

  async offline(call) {
    const asked = await call.workload.signal(call.properties.stopSignal)
    if (asked) await gone(call, call.properties.stopTimeoutMs)
    await call.workload.stop()
  },

  async terminate(call) {
    await call.workload.stop()
  },

  /** The guard says at once when it has ended; asked is whether it was missed. */
  async isAlive(calls) {
    return calls.map((call) => state(call, exists))
  },

  async looksAlive(calls) {
    return calls.map((call) => {
      const problem = programProblem(call.properties.command)
      const answer = state(call, lives)
      return problem && answer.status === 'online' ? { ...answer, detail: problem } : answer
    })
  },

  prepareOnline: (call) => warm(call.properties.command, call.signal),
  controls: CONTROLS.process,
  async control(call) {
    if (!(await call.workload.signal('SIGHUP'))) throw new Error('it does not run')
  },

  watch(call, push) {
    return call.workload.onExit((exit) => {
      const how = exit.signal ? `signal ${exit.signal}` : `exit code ${exit.code ?? 'unknown'}`
      push({ guid: call.guid, status: 'failed', detail: `its process ended (${how})` })
    })
  },
}

function state(call: Call<ProcessProperties>, there: (process: ProcessRef) => boolean): Answer {
  const { process } = call.workload
  return { guid: call.guid, status: process && there(process) ? 'online' : 'offline' }
}

/** Waits for the main process to end, at most so long. */
async function gone(call: Call<ProcessProperties>, timeoutMs: number): Promise<void> {
  const end = performance.now() + timeoutMs
  for (;;) {
    const { process } = call.workload
    if (!process || !lives(process) || performance.now() > end || call.signal.aborted) return
    await sleep(2)
  }
}
