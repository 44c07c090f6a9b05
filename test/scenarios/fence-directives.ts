/** Directives about fencing: how nodes are fenced, and what helpers and operators say. */
import { takeover } from '../../schema/fencing.ts'
import { viewCluster } from '../../worker/core/view.ts'
import { duration, type Words } from './words.ts'
import type { World } from './world.ts'

const config = (world: World, w: Words) => ({
  agent: 'fence_dummy',
  options: { plug: w.at(0) },
  secrets: null,
  helpers: w.list('helpers')?.map((name) => world.id('node', name)) ?? null,
  timeoutMs: duration(w.get('timeout') ?? '10s'),
  attempts: w.number('attempts', 1),
  delayMs: w.get('delay') === undefined ? null : duration(w.get('delay') as string),
  switchOn: !w.has('stays-off'),
})

/** What a helper says: of the last order, unless it is said otherwise. */
function said(world: World, w: Words) {
  const helper = world.node(w.at(0))
  const last = world.fenceOrders.get(w.at(1))?.order
  return {
    nodeId: helper.id,
    session: w.number('session', helper.number),
    target: world.id('node', w.at(1)),
    request: w.get('request') ?? last?.request ?? 'none',
    boot: w.get('boot') ?? last?.boot ?? 'none',
  }
}

function unlessChanged(world: World, run: () => void): void {
  const { seq } = world.hive
  run()
  if (world.hive.seq === seq) world.say('nothing changed')
}

export const FENCE_DIRECTIVES: Record<string, (world: World, w: Words) => void> = {
  fence: (world, w) =>
    world.ask({
      type: 'setFence',
      nodeId: world.id('node', w.at(0)),
      fence: w.has('none') ? null : config(world, w),
    }),
  takeover: (world, w) => world.ask({ type: 'setTakeover', takeover: takeover.parse(w.at(0)) }),
  begun: (world, w) => {
    const { boot: _, ...rest } = said(world, w)
    world.handle({ type: 'fenceBegun', ...rest })
  },
  /** `fenced n2 n1 off`: n2 says that the boot of n1 is over. */
  fenced: (world, w) =>
    unlessChanged(world, () =>
      world.handle({
        type: 'fenceReported',
        ...said(world, w),
        outcome: w.at(2) === 'off' ? 'off' : 'failed',
        detail: w.get('because') ?? (w.at(2) === 'off' ? 'its status says off' : 'it failed'),
      }),
    ),
  confirm: (world, w) =>
    unlessChanged(world, () => {
      const nodeId = world.id('node', w.at(0))
      const boot = w.get('boot') ?? world.hive.nodes.get(nodeId)?.bootId ?? 'none'
      const view = w.get('view')
      world.ask({
        type: 'confirmFence',
        nodeId,
        boot,
        ...(view !== undefined && { view: Number(view) }),
      })
    }),
  /** It takes the policy, and its word of it is lost. */
  mute: (world, w) => {
    world.node(w.at(0)).mute = true
  },
  policyTaken: (world, w) =>
    unlessChanged(world, () => {
      const { id, number } = world.node(w.at(0))
      const taken = { nodeId: id, session: number, number: w.number('number', 0) }
      world.handle({ type: 'policyTaken', ...taken })
    }),
  problems: (world) => {
    for (const { message, remedy } of viewCluster(world, new Map(), '', world.nowMs).problems)
      world.say(`${message} | ${remedy}`)
  },
}
