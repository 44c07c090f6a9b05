/**
 * The API's history is linearizable: there is one order of all calls that fits both what they were
 * answered and when. The order is that of the updates; what is left to show is that every answer
 * fits into it.
 */
import type { Call } from '../world/operator.ts'
import type { Mirror } from './mirror.ts'

export function checkCalls(calls: readonly Call[], mirror: Mirror): string[] {
  const problems: string[] = []
  const answered = calls.filter((call) => call.ok !== null && call.answeredAt !== null)
  for (const call of answered) {
    if (call.ok) problems.push(...fits(call, mirror))
    if (call.ok) problems.push(...survives(call, mirror))
  }
  problems.push(...inRealTime(answered.filter((call) => call.ok)))
  return problems
}

const nameOf = ({ request }: Call) => (request === 'readHive' ? request : request.type)

/** It knew of nothing that was not committed yet, and of everything from before it was asked. */
function fits(call: Call, mirror: Mirror): string[] {
  const earliest = mirror.seqAtTurn(call.invokedAt - 1)
  const latest = mirror.seqAtTurn(call.answeredAt ?? call.invokedAt)
  const problems: string[] = []
  if (call.seq < earliest || call.seq > latest)
    problems.push(
      `NOT LINEARIZABLE: ${nameOf(call)} was answered as of ${call.seq}, between ${earliest} and ${latest} were committed`,
    )
  if (call.hash !== null && call.hash !== mirror.hashAt(call.seq))
    problems.push(`NOT LINEARIZABLE: a read of ${call.seq} has another hash of the chain`)
  return problems
}

/** Whoever was answered before another was asked comes before it. */
function inRealTime(calls: readonly Call[]): string[] {
  const byAnswer = [...calls].sort((a, b) => (a.answeredAt ?? 0) - (b.answeredAt ?? 0))
  const byAsking = [...calls].sort((a, b) => a.invokedAt - b.invokedAt)
  let newest = 0
  let at = 0
  for (const call of byAsking) {
    for (; (byAnswer[at]?.answeredAt ?? Number.POSITIVE_INFINITY) < call.invokedAt; at += 1)
      newest = Math.max(newest, byAnswer[at]?.seq ?? 0)
    if (call.seq < newest)
      return [`NOT LINEARIZABLE: ${nameOf(call)} knew of ${call.seq} after one had said ${newest}`]
  }
  return []
}

/** What was acknowledged is in the updates up to the number that was answered. */
function survives(call: Call, mirror: Mirror): string[] {
  const { request } = call
  if (request === 'readHive') return []
  const id = subjectOf(request)
  if (id === null) return []
  for (let seq = call.seq; seq > 0; seq -= 1) {
    const { change } = mirror.committed[seq - 1]?.update ?? {}
    if (change?.id !== id) continue
    return holds(request, change.value as never) ? [] : lost(call)
  }
  return lost(call)
}

const lost = (call: Call) => [`LOST: ${nameOf(call)} was acknowledged and is not in the updates`]

type Write = Exclude<Call['request'], 'readHive'>

/** The record that shows whether a write was carried out, where one record does. */
function subjectOf(request: Write): string | null {
  switch (request.type) {
    case 'joinNode':
    case 'pauseNode':
    case 'evictNode':
      return request.nodeId
    case 'createGroup':
      return request.groupId
    case 'createResource':
    case 'changeResource':
    case 'deleteResource':
    case 'setResourceState':
      return request.resourceId
    default:
      return null
  }
}

function holds(request: Write, value: Record<string, unknown> | null): boolean {
  switch (request.type) {
    case 'pauseNode':
      return value?.['paused'] === request.paused
    case 'setResourceState':
      return value?.['persistentState'] === request.persistentState
    case 'evictNode':
    case 'deleteResource':
      return value === null
    default:
      return value !== null
  }
}
