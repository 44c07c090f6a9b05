/** What an operator asks for at the worst moment. One kind each, drawn with a seed of its own. */
import { moduleManifest } from '../../schema/module-manifest.ts'
import type { Operator } from '../../sim/world/operator.ts'
import type { Random } from '../../sim/world/random.ts'

type AskOf = (operator: Operator, random: Random) => void

const ASKS = {
  move: (o, random) => o.ask({ type: 'moveGroup', groupId: o.aGroup(random), to: null }),
  moveTo: (o, random) =>
    o.ask({ type: 'moveGroup', groupId: o.aGroup(random), to: o.aNode(random) }),
  moveLive: (o, random) =>
    o.ask({
      ...{ type: 'moveGroup', groupId: o.aGroup(random), mid: random.uuid() },
      method: random.pick(['live', 'live', 'auto']),
      to: random.chance(0.5) ? null : o.aNode(random),
    }),
  cancelMove: (o, random) =>
    o.ask({ type: 'cancelMove', groupId: o.aGroup(random), operation: 'u1' }),
  pause: (o, random) => o.ask({ type: 'pauseNode', nodeId: o.aNode(random), paused: true }),
  drain: (o, random) =>
    o.ask({
      ...{ type: 'drainNode', nodeId: o.aNode(random) },
      ...(random.chance(0.3) && { to: o.aNode(random) }),
      ...(random.chance(0.5) && { withinMs: random.between(1_000, 20_000) }),
    }),
  resume: (o, random) => o.ask({ type: 'pauseNode', nodeId: o.aNode(random), paused: false }),
  offline: (o, random) => o.want(o.aResource(random), 0),
  online: (o, random) => o.want(o.aResource(random), 1),
  groupOffline: (o, random) =>
    o.ask({ type: 'setGroupState', groupId: o.aGroup(random), persistentState: 0 }),
  groupOnline: (o, random) =>
    o.ask({ type: 'setGroupState', groupId: o.aGroup(random), persistentState: 1 }),
  prefer: (o, random) =>
    o.ask({
      type: 'changeGroup',
      groupId: o.aGroup(random),
      settings: { preferredOwners: random.chance(0.5) ? [o.aNode(random)] : [] },
    }),
  rename: (o, random) =>
    o.ask({
      type: 'changeGroup',
      groupId: o.aGroup(random),
      name: `g-${random.integer(1e6)}`,
      settings: {},
    }),
  /** Hard owners, now and then of a node that has the group (S-20, Q6). */
  owners: (o, random) =>
    o.ask({
      type: 'changeResource',
      resourceId: o.aResource(random),
      settings: {
        possibleOwners: random.chance(0.4) ? null : [o.aNode(random), o.aNode(random)],
      },
    }),
  evict: (o, random) => o.evict(o.aNode(random), false),
  evictLost: (o, random) => o.evict(o.aNode(random), true),
  deleteGroup: (o, random) => o.remove(o.aGroup(random)),
  createGroup: (o, random) => o.create(random),
  confirmFence: (o, random) => o.confirmOver(random.between(0, 4_000)),
  takeoverFence: (o) => o.takeover('fence'),
  takeoverLease: (o) => o.takeover('lease'),
  /** A new file of one of two types: the same one again, another version, or a conflict. */
  registerType: (o, random) => {
    const [type, minor] = [`own-${random.integer(2)}`, random.integer(3)]
    const manifest = moduleManifest.parse({
      ...{ type, version: `1.${minor}.0`, title: 'A type of its own', example: {} },
      properties: { type: 'object', properties: {}, additionalProperties: false },
    })
    const sha256 = `${random.integer(4)}`.repeat(64)
    o.ask({ type: 'registerType', manifest, sha256 })
  },
  unregisterType: (o, random) =>
    o.ask({ type: 'unregisterType', resourceType: `own-${random.integer(2)}` }),
  readHive: (o) => o.read(),
} satisfies Record<string, AskOf>

export type AskKind = keyof typeof ASKS
export const ASK_KINDS = Object.keys(ASKS) as AskKind[]
export const isAskKind = (text: string): text is AskKind => text in ASKS

export const carryOutAsk = (kind: AskKind, operator: Operator, random: Random): void =>
  (ASKS[kind] as AskOf)(operator, random)
