/** What a scenario may say, one line each. Names, not GUIDs; durations as `15s` or `200ms`. */
import { moveMethod } from '../../schema/carry.ts'
import type { ResourceSettings } from '../../schema/event.ts'
import { parseFailback } from '../../schema/failback.ts'
import { type ReportedStatus, reportedStatus } from '../../schema/status.ts'
import { profileName } from '../../schema/timing.ts'
import { Draft } from '../../worker/core/draft.ts'
import { availableNodes } from '../../worker/core/node-manager.ts'
import { viewCluster } from '../../worker/core/view.ts'
import { FENCE_DIRECTIVES } from './fence-directives.ts'
import { PretendNode } from './pretend-node.ts'
import { duration, Words } from './words.ts'
import type { World } from './world.ts'

export type Directive = (world: World, words: Words) => void

export function run(world: World, line: string): void {
  const [verb = '', ...rest] = line.trim().split(/\s+/)
  const directive = DIRECTIVES[verb]
  if (!directive) throw new Error(`no such directive: ${line}`)
  try {
    directive(world, new Words(rest))
    world.drain()
  } catch (error) {
    throw new Error(`${line}: ${(error as Error).message}`, { cause: error })
  }
}

const nodeIds = (world: World, names: readonly string[]) => names.map((n) => world.id('node', n))

/** `web` is a group, `web/nginx` one of its resources. */
const resourceOf = (world: World, path: string) =>
  world.id('resource', path.split('/').at(-1) ?? '')

function settings(world: World, w: Words): ResourceSettings {
  const after = w.list('after')
  const owners = w.list('owners')
  const attempts = w.get('attempts')
  return {
    ...(after && { dependsOn: after.map((name) => world.id('resource', name)) }),
    ...(owners && { possibleOwners: nodeIds(world, owners) }),
    ...(attempts !== undefined && { restart: { attempts: Number(attempts) } }),
    ...(w.get('command') !== undefined && { properties: { command: w.get('command') as string } }),
  }
}

/** What a resource of the type is made with, unless the scenario says else. */
const PROPERTIES: Record<string, Record<string, string>> = {
  process: { command: '/bin/true' },
  'virtual-machine': { domain: 'guest', xml: '<domain/>', saveFolder: '/shared' },
}

function groupSettings(world: World, w: Words) {
  const owners = w.list('preferred')
  const threshold = w.get('threshold')
  const back = parseFailback(w.get('failback') ?? '')
  return {
    ...(owners && { preferredOwners: nodeIds(world, owners) }),
    ...(back && { failback: back }),
    ...(threshold !== undefined && { failoverThreshold: Number(threshold) }),
  }
}

function setState(world: World, path: string, persistentState: 0 | 1): void {
  if (path.includes('/'))
    world.ask({
      type: 'setResourceState',
      resourceId: resourceOf(world, path),
      persistentState,
    })
  else world.ask({ type: 'setGroupState', groupId: world.id('group', path), persistentState })
}

function join(world: World, name: string, w: Words): void {
  const known = world.nodes.get(name)
  if (known && world.hive.nodes.has(known.id)) return
  if (known) world.forgetId('node', name)
  const node = new PretendNode(world, name, w.list('types') ?? ['process'])
  world.nodes.set(name, node)
  world.ask({ type: 'joinNode', nodeId: node.id, name, publicKey: 'A'.repeat(43) })
}

function report(world: World, w: Words, change: { gaveUp: boolean }): void {
  const node = world.node(w.at(0))
  const resourceId = resourceOf(world, w.at(1))
  const groupId = world.hive.resources.get(resourceId)?.groupId ?? ''
  const status: ReportedStatus = reportedStatus.parse(w.at(2))
  const because = w.get('because')
  const id = w.get('id')
  node.report({
    resourceId,
    epoch: w.number('epoch', node.epochOf(groupId)),
    status,
    restarts: w.number('restarts', 0),
    gaveUp: change.gaveUp,
    ...(because !== undefined && { detail: because }),
    ...(id !== undefined && { correlationId: id }),
  })
  node.act()
}

/** Events of a session or epoch that is over: they must change nothing (S2, C2, O2). */
function stale(world: World, w: Words): void {
  const node = world.node(w.at(0))
  const groupId = world.id('group', w.bare[2] ?? 'none')
  const epoch = w.number('epoch', node.epochOf(groupId))
  const from = { nodeId: node.id, session: w.number('session', node.number) }
  const seq = world.hive.seq
  switch (w.at(1)) {
    case 'released':
      world.handle({ type: 'groupReleased', ...from, groupId, epoch, why: 'asked' })
      break
    case 'accept':
      world.handle({ type: 'offerAccepted', ...from, groupId, epoch })
      break
    case 'refuse':
      world.handle({ type: 'offerRefused', ...from, groupId, epoch, reason: 'stale' })
      break
    case 'report':
      world.handle({
        type: 'nodeReported',
        ...from,
        bootId: 'boot-stale',
        guard: world.id('guard', 'stale'),
        intents: [],
        held: [],
        types: [],
      })
      break
    default:
      throw new Error('no such frame')
  }
  world.say(world.hive.seq === seq ? 'nothing changed' : 'THE HIVE CHANGED')
}

/** Comes with a report of its own making: what it says it holds, as `web@1`. */
function claims(world: World, w: Words): void {
  const held = w.bare.slice(1).map((text) => {
    const [group = '', epoch] = text.split('@')
    return { groupId: world.id('group', group), epoch: Number(epoch) }
  })
  world.connect(world.node(w.at(0)), held, w.get('guard'), w.get('boot'))
}

/** The shell asks for a node to be declared down; the core checks the wait itself (D3). */
function lost(world: World, w: Words): void {
  const node = world.node(w.at(0))
  const waitedMs = w.number('waited', 0)
  const { seq } = world.hive
  world.handle({
    type: 'nodeLost',
    nodeId: node.id,
    evidence:
      w.at(1) === 'pong'
        ? { path: 'pong', waitedMs, lastAnswerMs: 0, closedMs: 0, cause: 'silent' }
        : { path: 'authority', waitedMs, confirmedMs: 0 },
  })
  if (world.hive.seq === seq) world.say('nothing changed')
}

function show(world: World): void {
  const view = viewCluster(world, new Map(), '', world.nowMs)
  world.say(`cluster ${view.name}: ${view.health}, view ${view.view}`)
  for (const node of view.nodes)
    world.say(
      `  node ${node.name}: ${node.state}${node.paused ? ', paused' : ''}${node.quarantinedUntilMs === null ? '' : ', quarantined'}, epoch ${node.epoch}`,
    )
  for (const group of view.groups) {
    const where = group.owner === null ? 'nowhere' : `on ${group.owner}`
    world.say(`  group ${group.name}: ${group.state} ${where}, epoch ${group.epoch}`)
    for (const r of group.resources)
      world.say(`    ${r.name}: wanted ${r.persistentState}, ${r.status}`)
    if (group.waitingReasons.length > 0)
      world.say(`    ${group.waitingReasons.map((x) => `${x.node}: ${x.reason}`).join('; ')}`)
  }
}

const DIRECTIVES: Record<string, Directive> = {
  cluster: (world, w) =>
    world.ask({
      type: 'formCluster',
      clusterId: world.id('cluster', w.get('name') ?? 'prod'),
      name: w.get('name') ?? 'prod',
      profile: profileName.parse(w.at(0)),
    }),
  node: (world, w) => {
    for (const name of w.bare) join(world, name, w)
  },
  up: (world, w) => {
    for (const name of w.bare) world.node(name).connect()
  },
  /** `node` and `up` in one. */
  nodes: (world, w) => {
    for (const name of w.bare) {
      join(world, name, w)
      world.node(name).connect()
    }
  },
  group: (world, w) =>
    world.ask({
      type: 'createGroup',
      groupId: world.id('group', w.at(0)),
      name: w.get('name') ?? w.at(0),
      settings: groupSettings(world, w),
    }),
  resource: (world, w) => {
    const [group = '', name = ''] = w.at(0).split('/')
    world.ask({
      type: 'createResource',
      resourceId: world.id('resource', name),
      groupId: world.id('group', group),
      name: w.get('name') ?? name,
      resourceType: w.at(1),
      persistentState: w.has('offline') ? 0 : 1,
      settings: { properties: { ...PROPERTIES[w.at(1)] }, ...settings(world, w) },
    })
  },
  change: (world, w) => {
    const name = w.get('name')
    const named = name === undefined ? {} : { name }
    if (w.at(0).includes('/'))
      world.ask({
        type: 'changeResource',
        resourceId: resourceOf(world, w.at(0)),
        ...named,
        settings: settings(world, w),
      })
    else
      world.ask({
        type: 'changeGroup',
        groupId: world.id('group', w.at(0)),
        ...named,
        settings: groupSettings(world, w),
      })
  },
  delete: (world, w) =>
    w.at(0).includes('/')
      ? world.ask({ type: 'deleteResource', resourceId: resourceOf(world, w.at(0)) })
      : world.ask({ type: 'deleteGroup', groupId: world.id('group', w.at(0)) }),
  online: (world, w) => setState(world, w.at(0), 1),
  offline: (world, w) => setState(world, w.at(0), 0),
  move: (world, w) => {
    const to = w.bare[1]
    const method = w.get('by')
    world.ask({
      type: 'moveGroup',
      groupId: world.id('group', w.at(0)),
      to: to === undefined ? null : world.id('node', to),
      ...(method !== undefined && { method: moveMethod.parse(method), mid: world.nextMid() }),
    })
  },
  /** What becomes of state that is to travel from this node: `ok`, or why it does not. */
  carries: (world, w) => {
    world.node(w.at(0)).carries = w.bare.slice(1).join(' ')
  },
  acks: (world, w) => {
    world.node(w.at(0)).acks = world.id('copy', w.at(1))
  },
  /** Whether this node has a place for copies: `yes`, or why not. */
  receives: (world, w) => {
    world.node(w.at(0)).receives = w.bare.slice(1).join(' ')
  },
  cancel: (world, w) =>
    world.ask({ type: 'cancelMove', groupId: world.id('group', w.at(0)), operation: 'u1' }),
  failback: (world, w) => world.ask({ type: 'failbackGroup', groupId: world.id('group', w.at(0)) }),
  failover: (world, w) => world.ask({ type: 'failoverGroup', groupId: world.id('group', w.at(0)) }),
  drain: (world, w) => {
    const [to, within] = [w.get('to'), w.get('within')]
    world.ask({
      type: 'drainNode',
      nodeId: world.id('node', w.at(0)),
      ...(to !== undefined && { to: world.id('node', to) }),
      ...(within !== undefined && { withinMs: duration(within) }),
    })
  },
  pause: (world, w) =>
    world.ask({ type: 'pauseNode', nodeId: world.id('node', w.at(0)), paused: true }),
  resume: (world, w) =>
    world.ask({ type: 'pauseNode', nodeId: world.id('node', w.at(0)), paused: false }),
  evict: (world, w) =>
    world.ask({
      type: 'evictNode',
      nodeId: world.id('node', w.at(0)),
      ...(w.has('lost') && { lost: true }),
    }),

  report: (world, w) => report(world, w, { gaveUp: false }),
  gaveUp: (world, w) => report(world, w, { gaveUp: true }),
  intent: (world, w) => {
    const node = world.node(w.at(0))
    const resourceId = resourceOf(world, w.at(1))
    const groupId = world.hive.resources.get(resourceId)?.groupId ?? ''
    world.handle({
      type: 'intentReported',
      nodeId: node.id,
      session: node.number,
      intent: {
        resourceId,
        epoch: w.number('epoch', node.epochOf(groupId)),
        persistentState: w.at(2) === '1' ? 1 : 0,
        knownSeq: w.number('known', world.hive.seq),
        detail: 'virsh shutdown',
      },
    })
  },
  stopHere: (world, w) => world.node(w.at(0)).stopHere(resourceOf(world, w.at(1))),
  broken: (world, w) => void world.node(w.at(0)).broken.add(resourceOf(world, w.at(1))),
  repaired: (world, w) => void world.node(w.at(0)).broken.delete(resourceOf(world, w.at(1))),
  types: (world, w) => {
    const node = world.node(w.at(0))
    node.types = w.bare.slice(1)
    world.handle({
      type: 'nodeTypesChanged',
      nodeId: node.id,
      session: node.number,
      types: node.types.map((type) => ({ type, version: '1', sha256: '0'.repeat(64) })),
    })
  },

  crash: (world, w) => {
    const node = world.node(w.at(0))
    node.silentMs ??= world.nowMs
    node.crash()
    if (!w.has('unseen')) world.lost(node, 'socketClosed')
    node.number = -1
  },
  silence: (world, w) => world.node(w.at(0)).silence(),
  disconnect: (world, w) => world.lost(world.node(w.at(0)), 'socketClosed'),
  drop: (world, w) => world.node(w.at(0)).drop(world.id('group', w.at(1))),
  idle: (world, w) => {
    world.node(w.at(0)).idle = true
  },
  busy: (world, w) => {
    const node = world.node(w.at(0))
    node.idle = false
    node.act()
  },
  refuse: (world, w) => {
    world.node(w.at(0)).refusal = w.bare.slice(1).join(' ')
  },
  accept: (world, w) => {
    const node = world.node(w.at(0))
    node.refusal = null
    const groupId = w.bare[1] && world.id('group', w.bare[1])
    const { epoch } = (groupId && world.observed.offers.get(groupId)) || { epoch: 0 }
    const from = { nodeId: node.id, session: node.number }
    if (groupId) world.handle({ type: 'offerAccepted', ...from, groupId, epoch })
  },
  release: (world, w) => {
    const node = world.node(w.at(0))
    const groupId = world.id('group', w.at(1))
    node.release(groupId, w.number('epoch', node.epochOf(groupId)), 'gaveUp')
  },
  leaving: (world, w) => world.node(w.at(0)).leaving(),
  goodbye: (world, w) => {
    const { id, number } = world.node(w.at(0))
    world.handle({ type: 'nodeSaidGoodbye', nodeId: id, session: number })
  },
  leave: (world, w) => {
    const { id, number } = world.node(w.at(0))
    world.handle({ type: 'nodeLeft', nodeId: id, session: number })
  },
  stale,
  claims,
  lost,
  restart: (world) => world.restart(),
  advance: (world, w) => world.advance(duration(w.at(0))),
  available: (world) => {
    const names = availableNodes(new Draft(world, world.nowMs, 'show')).map((n) => n.name)
    world.say(`available: ${names.join(', ') || 'none'}`)
  },
  show,
  ...FENCE_DIRECTIVES,
}
