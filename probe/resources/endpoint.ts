/** What `http-endpoint` and `tcp-endpoint` have in common: they start nothing, they only look. */
import { isIPv4 } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HostPolicy } from '../../schema/host-policy.ts'
import type { Answer, Call, ResourceModule } from '../../schema/resource-type.ts'
import { eachOf } from './program.ts'

/** Null: it answers as it should. */
type Look<P> = (call: Call<P>, signal: AbortSignal) => Promise<string | null>

interface EndpointParts<P> {
  readonly type: string
  readonly properties: ResourceModule<P>['properties']
  /** Quick: does it answer. */
  readonly quick: Look<P>
  /** Thorough: does it answer with what is expected. */
  readonly thorough: Look<P>
  hostOf(properties: P): string
}

interface EndpointProperties {
  readonly timeoutMs: number
  readonly retryEveryMs: number
  readonly maxLatencyMs?: number | undefined
}

const AT_ONCE = 32
/** What is new about why it does not answer yet is progress, but not for ever (S-80). */
const PROGRESS_MAX = 3

export function endpointModule<P extends EndpointProperties>(
  parts: EndpointParts<P>,
  policy: HostPolicy['endpoints'],
): ResourceModule<P> {
  /** Stopped here: not looked at, whatever answers there. */
  const released = new Set<string>()
  const look = async (call: Call<P>, how: Look<P>): Promise<string | null> => {
    const host = parts.hostOf(call.properties)
    if (!mayLookAt(host, policy)) return `hostPolicy: this host's policy does not allow ${host}`
    const timeout = AbortSignal.timeout(call.properties.timeoutMs)
    try {
      return await how(call, AbortSignal.any([timeout, call.signal]))
    } catch (error) {
      if (timeout.aborted) return `no answer within ${call.properties.timeoutMs} ms`
      return error instanceof Error ? error.message || error.name : String(error)
    }
  }
  const check = async (call: Call<P>, thorough: boolean): Promise<Answer> => {
    const { guid, persistentState } = call
    if (released.has(guid) || persistentState === 0) return { guid, status: 'offline' }
    const begun = performance.now()
    const problem = await look(call, thorough ? parts.thorough : parts.quick)
    const tookMs = Math.round(performance.now() - begun)
    if (released.has(guid)) return { guid, status: 'offline' }
    if (problem && call.signal.aborted)
      return { guid, status: 'unknown', detail: 'the check was given up' }
    if (problem) return { guid, status: 'failed', detail: problem }
    const { maxLatencyMs } = call.properties
    if (!thorough || maxLatencyMs === undefined || tookMs <= maxLatencyMs)
      return { guid, status: 'online' }
    const detail = `the answer took ${tookMs} ms, more than ${maxLatencyMs} ms`
    return { guid, status: 'online', detail, degraded: true }
  }
  return {
    type: parts.type,
    version: '1.0.0',
    properties: parts.properties,
    host: 'rhs',
    async online(call) {
      released.delete(call.guid)
      let last = ''
      let changes = 0
      for (;;) {
        call.signal.throwIfAborted()
        const problem = await look(call, parts.quick)
        if (!problem) return
        if (problem.startsWith('hostPolicy:')) throw new Error(problem)
        if (problem !== last && changes <= PROGRESS_MAX) {
          if (changes === 0) call.log(`waits: ${problem}`)
          else call.progress(problem)
          changes += 1
        }
        last = problem
        await sleep(call.properties.retryEveryMs, undefined, { signal: call.signal })
      }
    },
    async offline(call) {
      released.add(call.guid)
    },
    async terminate(call) {
      released.add(call.guid)
    },
    async close(call) {
      released.delete(call.guid)
    },
    isAlive: (calls) => eachOf(calls, AT_ONCE, (call) => check(call, false)),
    looksAlive: (calls) => eachOf(calls, AT_ONCE, (call) => check(call, true)),
  }
}

/** This host itself without a word of the policy; every other only by it. */
function mayLookAt(host: string, policy: HostPolicy['endpoints']): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  const own = bare === 'localhost' || bare === '::1' || (isIPv4(bare) && bare.startsWith('127.'))
  return own || (policy?.hosts ?? []).some((h) => h === '*' || h.toLowerCase() === bare)
}
