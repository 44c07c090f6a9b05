/**
 * Fencing (rules F1 to F6): who is asked to end the boot of a node that is lost, and what is made
 * of the answers. Nothing here frees a group but a confirmed statement about the node's boot of now.
 */
import type { Event, Request } from '../../schema/event.ts'
import type { FenceConfig, FenceOrder, Fencing, LastFence } from '../../schema/fencing.ts'
import type { Node } from '../../schema/hive.ts'
import { LIMITS } from '../../schema/limits.ts'
import { CLOSE } from '../../schema/session.ts'
import { fenceDelayMs } from '../../schema/timing.ts'
import type { Because } from '../../schema/update.ts'
import type { ClusterState } from './decision.ts'
import type { Draft } from './draft.ts'
import { declareDown, ownedBy, timingOf } from './membership-manager.ts'
import { withLoss } from './quarantine.ts'

type Of<T extends Event['type']> = Extract<Event, { type: T }>

/** When all helpers have failed: the first pause, doubled each round up to the last one. */
const REST_MS = 5_000
const REST_MAX_MS = 300_000
/** The helper kills its agent in time; this much later it is held to hang itself. */
const SLACK_MS = 5_000

/**
 * D1, F4: whose socket has to be closed before this event is decided on, or null: it says that the
 * boot which the hive has for the node now is over.
 */
export function saysOver(state: ClusterState, event: Event): string | null {
  const said =
    event.type === 'fenceReported' && event.outcome === 'off'
      ? { nodeId: event.target, boot: event.boot }
      : event.type === 'requested' && event.request.type === 'confirmFence'
        ? sameView(state, event.request)
        : null
  const node = said && state.hive.nodes.get(said.nodeId)
  return node && node.state !== 'down' && node.bootId === said.boot ? node.id : null
}

const sameView = ({ hive }: ClusterState, r: Extract<Request, { type: 'confirmFence' }>) =>
  r.view === undefined || r.view === (hive.cluster?.view ?? 0) ? r : null

/** A node that is Up has no session. What it owns stays its own until D3 or F2 says otherwise. */
export function nodeSuspected(draft: Draft, event: Of<'nodeSuspected'>): void {
  const node = draft.node(event.nodeId)
  if (!node || node.state === 'down') return
  const { cause } = event
  const known = draft.fencing(node.id)
  if (known) {
    // The end of the instance before this one may have been what closed its socket.
    const dueMs = Math.max(known.dueMs, draft.nowMs + delayMs(draft, node, cause))
    if (cause === 'restart' && known.requests === 0) note(draft, node.id, { ...known, dueMs })
    return
  }
  draft.observe({
    table: 'fencing',
    id: node.id,
    value: {
      boot: node.bootId,
      cause,
      sinceMs: draft.nowMs,
      dueMs: draft.nowMs + delayMs(draft, node, cause),
      nextMs: null,
      asked: null,
      requests: 0,
      round: 0,
      resting: false,
      failures: [],
    },
  })
  if (node.under === 'fence' && !node.fence && ownsWanted(draft, node))
    draft.log({
      component: 'NM',
      message: `node ${node.name} is unreachable and has no fence agent: its groups wait until an operator confirms that boot ${node.bootId} is over (F5)`,
    })
}

/**
 * Silence has lasted for TTL already. A closed socket may be a restart of the agent; after a restart
 * of the control plane every node has to come back first.
 */
function delayMs(draft: Draft, node: Node, cause: Fencing['cause']): number {
  const timing = timingOf(draft)
  const own = node.fence?.delayMs ?? fenceDelayMs(timing)
  if (cause === 'silent') return 0
  return cause === 'restart' ? Math.max(own, timing.ttlMs) : own
}

/** The helper runs the agent: from now on it has the time that one attempt may take. */
export function fenceBegun(draft: Draft, event: Of<'fenceBegun'>): void {
  const fencing = draft.fencing(event.target)
  const fence = draft.node(event.target)?.fence
  const asked = fencing?.asked
  if (!fencing || !fence || asked?.helper !== event.nodeId || asked.begun) return
  if (asked.request !== event.request) return
  const deadlineMs = draft.nowMs + fence.timeoutMs + SLACK_MS
  note(draft, event.target, { ...fencing, asked: { ...asked, begun: true, deadlineMs } })
}

/**
 * F2: accepted if it is about the boot that the hive has for the node now, whoever says it, by
 * whichever session, however late or often. Everything else changes nothing.
 */
export function fenceReported(draft: Draft, event: Of<'fenceReported'>): void {
  const { target, boot, outcome, request, detail } = event
  const node = draft.node(target)
  const helper = draft.node(event.nodeId)?.name ?? event.nodeId
  if (outcome === 'failed') return attemptFailed(draft, event)
  if (!node || node.state === 'down' || node.bootId !== boot) {
    const now = node ? `${node.state}, boot ${node.bootId}` : 'not a member'
    draft.log({
      component: 'NM',
      message: `fence result of ${helper} ignored: boot ${boot} of ${node?.name ?? target} is over, and the node is ${now} (F2, request ${request})`,
    })
    // The power has been off all the same, perhaps only just now: what another helper had switched
    // on, or what had come back by itself (F6). Whatever is on stays on.
    if (node) switchOn(draft, node, event)
    return
  }
  const { fence } = node
  bootIsOver(
    draft,
    node,
    { outcome: 'off', by: helper, detail },
    {
      manager: 'NM',
      code: 'fenceConfirmed',
      rule: 'F2',
      evidence: { helper, agent: fence?.agent ?? 'none', boot, request },
    },
  )
  switchOn(draft, node, event)
}

/** Only once its end is on record, which does not depend on what comes of this. */
function switchOn(draft: Draft, node: Node, event: Of<'fenceReported'>): void {
  const { fence } = node
  if (!fence?.switchOn) return
  const order = orderOf(node, fence, 'on', event.request)
  draft.effects.push({ type: 'fence', nodeId: event.nodeId, order })
}

/** F2, F5: as under D3 without the wait; the boot is remembered as over (F3). */
export function bootIsOver(
  draft: Draft,
  node: Node,
  said: Pick<LastFence, 'outcome' | 'by' | 'detail'>,
  because: Because,
): void {
  const boot = node.bootId
  if (boot === null) throw new Error('a node without a boot cannot be over')
  const overBoots = [...(node.overBoots ?? []), boot].slice(-LIMITS.overBootsKept)
  const lastFence: LastFence = { boot, ...said, atMs: draft.nowMs }
  declareDown(draft, withLoss({ ...node, overBoots, lastFence }, draft.nowMs), because)
  const detail = `boot ${boot} was declared over`
  draft.effects.push({ type: 'closeSession', nodeId: node.id, code: CLOSE.fenced, detail })
}

function attemptFailed(draft: Draft, event: Of<'fenceReported'>): void {
  const fencing = draft.fencing(event.target)
  const { asked } = fencing ?? {}
  const helper = draft.node(event.nodeId)?.name ?? event.nodeId
  if (!fencing || asked?.helper !== event.nodeId || asked.request !== event.request) {
    draft.log({
      component: 'NM',
      message: `fence request ${event.request} failed on ${helper}, and nobody waits for it: ${event.detail}`,
    })
    return
  }
  failed(draft, event.target, fencing, event.detail)
}

/** One attempt has failed, or was not heard of again: on record, and the next one may be made. */
function failed(draft: Draft, nodeId: string, fencing: Fencing, reason: string): Fencing {
  const node = draft.node(nodeId)
  const { asked } = fencing
  if (!node || !asked) return fencing
  const helper = draft.node(asked.helper)?.name ?? asked.helper
  const { request } = asked
  const next: Fencing = {
    ...fencing,
    asked: null,
    failures: [...fencing.failures, { helper: asked.helper, reason }].slice(
      -LIMITS.fenceFailuresMax,
    ),
  }
  note(draft, nodeId, next)
  if (fencing.boot === null) return next
  const lastFence: LastFence = {
    boot: fencing.boot,
    outcome: 'failed',
    by: helper,
    atMs: draft.nowMs,
    detail: reason,
  }
  draft.put(
    { table: 'node', id: nodeId, value: { ...node, lastFence } },
    {
      manager: 'NM',
      code: 'fenceFailed',
      rule: 'F1',
      evidence: { helper, boot: fencing.boot, request, detail: reason },
    },
  )
  return next
}

/** Looks at every lost node: gives up on who does not answer, asks the next helper when it is due. */
export function settleFences(draft: Draft): void {
  for (const nodeId of draft.fencings()) {
    const fencing = draft.fencing(nodeId)
    const node = draft.node(nodeId)
    if (!fencing) continue
    if (node && node.state !== 'down') settle(draft, node, fencing)
    else draft.observe({ table: 'fencing', id: nodeId, value: null })
  }
}

function settle(draft: Draft, lost: Node, fencing: Fencing): void {
  const now = stillAsked(draft, lost, fencing)
  const node = draft.node(lost.id) ?? lost
  if (now.asked) return look(draft, node.id, now, now.asked.deadlineMs)
  // Nothing that is wanted would be won by it, nor the node itself: the host is left alone.
  const wins = now.atTheDoor === true || ownsWanted(draft, node)
  if (!node.fence || node.bootId === null || !wins) return look(draft, node.id, now, null)
  if (now.dueMs > draft.nowMs) return look(draft, node.id, now, now.dueMs)
  ask(draft, node, node.fence, node.bootId, now)
}

/** The request under way, unless its time is over, or its helper is lost itself. */
function stillAsked(draft: Draft, lost: Node, fencing: Fencing): Fencing {
  const { asked } = fencing
  if (!asked) return fencing
  const helper = draft.node(asked.helper)
  if (helper?.state !== 'up' || draft.fencing(asked.helper)) {
    // That is no failure of the agent, which may even be at work: its word counts when it comes.
    draft.log({
      component: 'NM',
      message: `${helper?.name ?? asked.helper}, who was to fence ${lost.name}, is lost itself: another one is asked (request ${asked.request})`,
    })
    return { ...fencing, asked: null }
  }
  if (asked.deadlineMs > draft.nowMs) return fencing
  const reason = asked.begun ? 'no result in time' : 'the helper did not begin in time'
  return failed(draft, lost.id, fencing, reason)
}

/** Helpers in their order, each as often as it may; after all of them a pause, and again. */
function ask(draft: Draft, node: Node, fence: FenceConfig, boot: string, fencing: Fencing): void {
  const helpers = fenceHelpers(draft, node, fence)
  const failures = fencing.resting ? [] : fencing.failures
  const used = (helper: Node) => failures.filter((f) => f.helper === helper.id).length
  const helper = helpers.find((one) => used(one) < fence.attempts)
  if (!helper) {
    // Whoever comes up is asked at once; nobody has to be waited for by the clock.
    if (helpers.length === 0) return look(draft, node.id, fencing, null)
    const restMs = Math.min(REST_MAX_MS, REST_MS * 2 ** Math.min(fencing.round, 10))
    const dueMs = draft.nowMs + restMs
    const round = fencing.round + 1
    return note(draft, node.id, { ...fencing, resting: true, round, dueMs, nextMs: dueMs })
  }
  const requests = fencing.requests + 1
  const request = `${boot.slice(0, 13)}.${draft.nowMs}.${requests}`
  const deadlineMs = draft.nowMs + LIMITS.fenceBeginMs
  note(draft, node.id, {
    ...fencing,
    requests,
    failures,
    resting: false,
    asked: { helper: helper.id, request, begun: false, deadlineMs },
    nextMs: deadlineMs,
  })
  draft.effects.push({
    type: 'fence',
    nodeId: helper.id,
    order: { ...orderOf(node, fence, 'off', request), boot },
  })
  draft.log({
    component: 'NM',
    message: `node ${node.name} is lost (${fencing.cause}): ${helper.name} is asked to end its boot ${boot} with ${fence.agent} (request ${request})`,
  })
}

/** Who may fence this node now, in the order in which they are asked. Never the node itself. */
export function fenceHelpers(draft: Draft, node: Node, fence: FenceConfig): Node[] {
  const listed = fence.helpers?.flatMap((id) => draft.node(id) ?? []) ?? draft.nodes()
  return listed.filter(
    (one) => one.id !== node.id && one.state === 'up' && draft.fencing(one.id) === undefined,
  )
}

export function orderOf(
  node: Node,
  fence: FenceConfig,
  action: FenceOrder['action'],
  request: string,
): FenceOrder {
  const { agent, options, secrets, timeoutMs } = fence
  const target = { id: node.id, name: node.name }
  return { action, request, target, boot: null, agent, options, secrets, timeoutMs }
}

/** Whether a fence would win anything: it owns a group of which something is wanted online. */
function ownsWanted(draft: Draft, node: Node): boolean {
  return ownedBy(draft, node.id).some((group) =>
    draft.resourcesOf(group.id).some((r) => r.persistentState === 1),
  )
}

/** The guard has policy `lease` on file: its lease says again when it has surely stopped (D3). */
export function policyTaken(draft: Draft, event: Of<'policyTaken'>): void {
  const node = draft.node(event.nodeId)
  const { takeover, policyNumber = 0 } = draft.cluster ?? {}
  // An acknowledgement of an earlier change: it may have been told to go on since.
  if (node?.under !== 'fence' || takeover !== 'lease' || event.number !== policyNumber) return
  const { under: _, ...value } = node
  draft.put(
    { table: 'node', id: node.id, value },
    { manager: 'NM', code: 'policyTaken', rule: 'D3', evidence: { takeover } },
  )
}

function look(draft: Draft, nodeId: string, fencing: Fencing, nextMs: number | null): void {
  const known = draft.fencing(nodeId)
  if (known === fencing && fencing.nextMs === nextMs) return
  note(draft, nodeId, { ...fencing, nextMs })
}

function note(draft: Draft, nodeId: string, value: Fencing): void {
  draft.observe({ table: 'fencing', id: nodeId, value })
}
