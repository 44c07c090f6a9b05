import type { Event } from '../schema/event.ts'
import { LIMITS } from '../schema/limits.ts'
import { type NodeFrame, nodeFrame, PROTOCOL, PROTOCOL_OLDEST } from '../schema/session.ts'
import { unreachable } from '../schema/unreachable.ts'

/** A frame from a node, or what is wrong with it: then the session ends and nothing changes. */
export function parseFrame(
  data: string | ArrayBuffer,
): NodeFrame | { code: 'badFrame' | 'newerProtocol' | 'olderProtocol'; problem: string } {
  if (typeof data !== 'string') return { code: 'badFrame', problem: 'frames are text' }
  if (data.length > LIMITS.frameBytesMax)
    return { code: 'badFrame', problem: `larger than ${LIMITS.frameBytesMax}` }
  let json: unknown
  try {
    json = JSON.parse(data)
  } catch {
    return { code: 'badFrame', problem: 'not JSON' }
  }
  const protocol = (json as { protocol?: unknown } | null)?.protocol
  if (typeof protocol === 'number' && protocol > PROTOCOL)
    return {
      code: 'newerProtocol',
      problem: `this control plane speaks protocol ${PROTOCOL}, the node ${protocol}: update the control plane first`,
    }
  if (typeof protocol === 'number' && protocol < PROTOCOL_OLDEST)
    return {
      code: 'olderProtocol',
      problem: `this control plane speaks protocol ${PROTOCOL_OLDEST} to ${PROTOCOL}, the node ${protocol}: update the probe`,
    }
  const tooDeep = manifestProblem(data, json)
  if (tooDeep) return tooDeep
  const parsed = nodeFrame.safeParse(json)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  return {
    code: 'badFrame',
    problem: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unknown frame'}`,
  }
}

/** What is recursive is looked at for its size first: parsing it costs time, and stack. */
const TYPE_ASK_MAX = 32 * 1024
const NESTED_MAX = 64

function manifestProblem(
  data: string,
  json: unknown,
): { code: 'badFrame'; problem: string } | null {
  if ((json as { t?: unknown } | null)?.t !== 'typeAsk') return null
  if (data.length > TYPE_ASK_MAX)
    return { code: 'badFrame', problem: `a manifest larger than ${TYPE_ASK_MAX}` }
  let depth = 0
  let deepest = 0
  for (const char of data) {
    if (char === '{' || char === '[') depth += 1
    if (char === '}' || char === ']') depth -= 1
    deepest = Math.max(deepest, depth)
  }
  return deepest > NESTED_MAX ? { code: 'badFrame', problem: 'a manifest that is too deep' } : null
}

/** The numbered reports, each as the event it is. */
export function eventOf(
  frame: Extract<NodeFrame, { n: number }>,
  from: { nodeId: string; session: number },
): Event {
  switch (frame.t) {
    case 'status':
      return { type: 'resourceReported', ...from, items: frame.items }
    case 'released':
      return {
        type: 'groupReleased',
        ...from,
        groupId: frame.groupId,
        epoch: frame.epoch,
        why: frame.why,
        ...(frame.copy !== undefined && { copy: frame.copy }),
      }
    case 'notCarried': {
      const { t: _, n: __, ...said } = frame
      return { type: 'groupNotCarried', ...from, ...said }
    }
    case 'intent': {
      const { t: _, n: __, ...intent } = frame
      return { type: 'intentReported', ...from, intent }
    }
    case 'types':
      return { type: 'nodeTypesChanged', ...from, types: frame.types }
    case 'isolated': {
      const { resources, incident } = frame
      return { type: 'resourcesIsolated', ...from, resources, incident }
    }
    case 'wellAlone':
      return { type: 'resourcesWellAlone', ...from, resources: frame.resources }
    case 'leaving':
      return { type: 'nodeLeaving', ...from }
    case 'goodbye':
      return { type: 'nodeSaidGoodbye', ...from }
    case 'leave':
      return { type: 'nodeLeft', ...from }
    case 'fenced': {
      const { t: _, n: __, ...said } = frame
      return { type: 'fenceReported', ...from, ...said }
    }
    case 'policyTaken':
      return { type: 'policyTaken', ...from, number: frame.number }
    case 'confirm':
      throw new Error('confirms are answered elsewhere')
    default:
      return unreachable(frame)
  }
}

/** The report that begins a session, as the event it is. */
export function reportedEvent(nodeId: string, frame: Extract<NodeFrame, { t: 'report' }>): Event {
  const { session, boot: bootId, guard, intents, held, types, measured } = frame
  return {
    ...{ type: 'nodeReported', nodeId, session, bootId, guard, intents, held, types },
    ...(measured && { measured }),
  }
}

/** What a node answers to what it was told: it has no number of its own (O2, F2). */
export function answerEvent(
  frame: Extract<NodeFrame, { t: 'accept' | 'refuse' | 'fenceBegun' }>,
  from: { nodeId: string; session: number },
): Event {
  const { t, ...said } = frame
  const type = (
    { accept: 'offerAccepted', refuse: 'offerRefused', fenceBegun: 'fenceBegun' } as const
  )[t]
  return { type, ...from, ...said } as Event
}
