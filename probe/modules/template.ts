/** What `module new NAME` writes: a module that works, to begin from. */
export const moduleTemplate = (type: string): string => `/**
 * Resource type "${type}": keeps one program running.
 *
 * A file like this one may import what Node.js has ("node:fs/promises") and nothing else: what runs is
 * exactly the bytes that were registered. Try it:  holdfast-probe module certify ${type}.mjs
 */
import { access, constants } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

export default {
  type: '${type}',
  version: '1.0.0',
  title: 'A program that is kept running',
  host: 'rhs',
  // It has the guard start something. Leave it out in a module that only looks.
  way: 'child',

  // JSON Schema. What a resource is told has to fit it, or is refused before anything happens.
  properties: {
    type: 'object',
    properties: {
      command: { type: 'string', maxLength: 4096, description: 'Absolute path of the program.' },
      args: { type: 'array', items: { type: 'string' }, description: 'Its arguments.' },
      stopTimeoutMs: { type: 'integer', minimum: 0, maximum: 600000, default: 5000 },
    },
    required: ['command'],
    additionalProperties: false,
  },
  // What an operator may ask besides: holdfast resource control NAME pid
  controls: { pid: { title: 'The number of its process', changes: false } },
  // A resource that works anywhere: "module certify" starts it.
  example: { command: '/bin/sleep', args: ['1000'] },

  /** Whether this host can run it. Rejects with the reason, which the operator reads. */
  async validate(call) {
    await access(call.properties.command, constants.X_OK)
  },

  /** Resolves when it is online. Called again when it is online already: that is success. */
  async online(call) {
    if (await lives(call)) return
    const { command, args = [] } = call.properties
    await call.workload.startChild({ command, args, env: { PATH: '/usr/bin:/bin' } })
    if (!(await lives(call))) throw new Error('it has ended as soon as it was started')
  },

  /** Asks it to end; what is left after its time is killed by the guard. */
  async offline(call) {
    if (await call.workload.signal('SIGTERM')) {
      const end = Date.now() + call.properties.stopTimeoutMs
      while (Date.now() < end && !call.signal.aborted && (await lives(call))) await sleep(10)
    }
    await call.workload.stop()
  },

  /** At once, whatever state it is in. */
  async terminate(call) {
    await call.workload.stop()
  },

  /** Quick, every 5 s, one call for all resources of a group. One answer for each. */
  async isAlive(calls) {
    return Promise.all(
      calls.map(async (call) => ({
        guid: call.guid,
        status: (await lives(call)) ? 'online' : 'offline',
      })),
    )
  },

  /** Thorough, every 60 s: what the quick check cannot see. "detail" is shown to operators. */
  async looksAlive(calls) {
    return this.isAlive(calls)
  },

  /** Answers, or does, what one of the "controls" says. */
  async control(call, code) {
    return { code, pid: call.workload.process?.pid ?? null }
  },

  /** Says what happens at once, without waiting for a check. Returns how to stop watching. */
  watch(call, push) {
    return call.workload.onExit(({ code, signal }) =>
      push({ guid: call.guid, status: 'failed', detail: \`it has ended (\${signal ?? code})\` }),
    )
  },
}

/** The guard has the process on record until it has seen it dead. */
async function lives(call) {
  const { process } = call.workload
  if (process === null) return false
  return access(\`/proc/\${process.pid}\`).then(
    () => true,
    () => false,
  )
}
`
