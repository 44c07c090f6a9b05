/**
 * What one history consists of, drawn from its seed before anything runs: the cluster, how bad its
 * world is, and everything that strikes it, each with a seed of its own. So a history can be written
 * down, shortened and played again without the draw that made it.
 */
import { PROFILES, type ProfileName, waitMs } from '../../schema/timing.ts'
import { Random } from '../../sim/world/random.ts'
import type { GroupPlan, Setting, WorldPlan } from '../../sim/world/setting.ts'
import { ASK_KINDS, type AskKind } from './asks.ts'
import { FREEZE_KINDS, STRIKE_KINDS, type StrikeKind } from './strikes/index.ts'

export interface Strike {
  readonly atMs: number
  readonly kind: StrikeKind
  /** Which host it hits, where it hits one. */
  readonly host: number
  /** What else it draws: how long it lasts, whom else it concerns. */
  readonly seed: number
}

export interface Ask {
  readonly atMs: number
  readonly kind: AskKind
  readonly seed: number
}

export interface Plan extends Setting {
  readonly strikes: readonly Strike[]
  readonly asks: readonly Ask[]
  /** When the faults are over, and how long the cluster then has to come to rest. */
  readonly endMs: number
  readonly restMs: number
}

/** Until a cluster is formed, its nodes are up and its groups online. */
export const formedMs = (profile: ProfileName) => 2_500 + 2 * PROFILES[profile].pingMs

/** All deadlines of the product that stand between the last fault and rest. */
export function restMs(profile: ProfileName): number {
  const t = PROFILES[profile]
  // A shutdown under way at the last fault has half a minute of its own (probe/guard/main.ts).
  return 3 * waitMs(t.ttlAuthorityMs, t.marginMs) + 75_000
}

export interface Draw {
  /** Fixed where given, drawn otherwise. */
  readonly nodes?: number | undefined
  readonly profile?: ProfileName | undefined
  /** Freezes of a guard or a whole host, which the rules assume away (A5). */
  readonly freezes?: boolean | undefined
  /** Nothing but the storm: no hours of daily life behind it. Or those hours without the storm. */
  readonly only?: 'storm' | 'life' | undefined
}

export function drawPlan(seed: number, draw: Draw = {}): Plan {
  const random = new Random(seed)
  const profile = draw.profile ?? (draw.only === 'life' ? 'standard' : drawProfile(random))
  const nodes = draw.nodes ?? drawNodes(random)
  const unitMs = PROFILES[profile].ttlMs
  const startMs = formedMs(profile)
  const swarm = draw.freezes ? drawFreezes(random, unitMs) : drawSwarm(random, unitMs)
  // A storm, and in some histories hours of a cluster's daily life behind it.
  const stormMs = unitMs * random.between(6, 14)
  const stormEndMs = draw.only === 'life' ? startMs : startMs + stormMs
  const long = profile === 'standard' || profile === 'wan'
  const lives = long && (random.chance(LIVES) || draw.only === 'life')
  const life = lives ? random.between(0.5, 4) * 3_600_000 : 0
  const lifeMs = draw.only === 'storm' ? 0 : life
  const strikes = [
    ...drawStrikes(random, swarm, startMs, stormEndMs, nodes),
    ...drawStrikes(random, sparse(swarm, lifeMs), stormEndMs, stormEndMs + lifeMs, nodes),
  ]
  const asks = random.chance(0.85)
    ? [
        ...drawAsks(random, unitMs * random.between(0.1, 2), startMs, stormEndMs),
        ...drawAsks(random, LIFE_ASK_MS, stormEndMs, stormEndMs + lifeMs),
      ]
    : []
  const groups = drawGroups(random, nodes)
  const world = drawWorld(random, profile)
  // Last, so that histories are what they were before there were peers and fence agents.
  const peers = nodes <= 8 && random.chance(0.2)
  const fencing = random.chance(0.3) ? random.pick(['lease', 'fence'] as const) : 'none'
  return {
    seed,
    profile,
    nodes,
    groups,
    world: { ...world, fencing, peers: peers && lifeMs === 0 },
    strikes,
    asks,
    endMs: Math.round(stormEndMs + lifeMs),
    restMs: restMs(profile),
  }
}

/** Histories with a long life behind their storm. */
const LIVES = 0.4
const LIFE_ASK_MS = 900_000
/** Mean time between two faults of a long life. */
const LIFE_STRIKE_MS = 600_000

function drawProfile(random: Random): ProfileName {
  const draw = random.next()
  if (draw < 0.55) return 'test'
  if (draw < 0.65) return 'fast'
  return draw < 0.82 ? 'standard' : 'wan'
}

function drawNodes(random: Random): number {
  const draw = random.next()
  if (draw < 0.06) return 1
  if (draw < 0.95) return 2 + random.integer(3)
  return draw < 0.995 ? 5 + random.integer(8) : 16 + random.integer(49)
}

function drawGroups(random: Random, nodes: number): GroupPlan[] {
  const count = 1 + random.integer(nodes > 8 ? 8 : 4)
  return Array.from({ length: count }, () => ({
    members: random.chance(0.25) ? 2 + random.integer(2) : 1,
    way: random.chance(0.3) ? 'gate' : 'child',
  }))
}

function drawWorld(random: Random, profile: ProfileName): WorldPlan {
  const slow = random.chance(0.3)
  const t = PROFILES[profile]
  const some = (chance: number, most: number) => (random.chance(chance) ? random.next() * most : 0)
  return {
    delayMaxMs: random.between(1, Math.min(t.pingMs / 3, 60)),
    loss: some(0.25, 0.1),
    alarmLateMaxMs: slow ? 60_000 : random.between(1, 50),
    alarmLate: slow ? random.next() * 0.4 : 0.5,
    syncMaxMs: random.chance(0.08) ? 1_500 : random.between(1, slow ? 60 : 6),
    onlineMaxMs: random.between(2, slow ? 800 : 30),
    offlineMaxMs: random.between(2, slow ? 400 : 30),
    killMaxMs: random.between(1, (t.stopMs - t.gapMs) * 0.95),
    flaky: some(0.3, 0.3),
    hangs: some(0.2, 0.05),
    lies: some(0.15, 0.02),
    managerLateMaxMs: random.chance(0.5) ? random.between(1, 20) : random.between(20, 4_000),
    extremeClocks: random.chance(0.4),
    ipcMaxMs: some(0.3, 40),
    runFolderLasts: random.chance(0.15),
    watchdog: random.chance(0.25),
    peers: false,
    fencing: 'none',
  }
}

type Swarm = ReadonlyMap<StrikeKind, number>

/**
 * Each history has some kinds of faults, each with a rate of its own: one with every fault at once
 * shows less than many with a few each.
 */
function drawSwarm(random: Random, unitMs: number): Swarm {
  // What only certain faults show, at certain times, many others at once would hide.
  const dense = random.chance(0.4) ? random.between(0.02, 0.1) : random.between(0.15, 0.5)
  return new Map(rates(random, STRIKE_KINDS, dense, unitMs))
}

/** Few other faults: what stands still for long has to be owner when it begins, and nothing may end it. */
function drawFreezes(random: Random, unitMs: number): Swarm {
  const others = rates(random, STRIKE_KINDS, random.pick([0, 0.05, 0.3]), unitMs)
  return new Map([...rates(random, FREEZE_KINDS, 1, unitMs), ...others])
}

function rates(
  random: Random,
  kinds: readonly StrikeKind[],
  dense: number,
  unitMs: number,
): [StrikeKind, number][] {
  const chosen = kinds.filter(() => random.chance(dense))
  return chosen.map((kind) => [kind, unitMs * random.between(0.6, 7)])
}

/** The same kinds, as rarely as in daily life. */
function sparse(swarm: Swarm, lifeMs: number): Swarm {
  if (lifeMs === 0) return new Map()
  return new Map([...swarm.keys()].map((kind) => [kind, LIFE_STRIKE_MS * swarm.size]))
}

function drawStrikes(
  random: Random,
  swarm: Swarm,
  fromMs: number,
  toMs: number,
  nodes: number,
): Strike[] {
  const strikes: Strike[] = []
  for (const [kind, everyMs] of swarm)
    for (const atMs of moments(random, everyMs, fromMs, toMs))
      strikes.push({ atMs, kind, host: random.integer(nodes), seed: random.integer(2 ** 31) })
  return strikes.sort((a, b) => a.atMs - b.atMs)
}

function drawAsks(random: Random, everyMs: number, fromMs: number, toMs: number): Ask[] {
  return moments(random, everyMs, fromMs, toMs).map((atMs) => ({
    atMs,
    kind: random.pick(ASK_KINDS),
    seed: random.integer(2 ** 31),
  }))
}

/** Moments of a Poisson process, in whole milliseconds. */
function moments(random: Random, everyMs: number, fromMs: number, toMs: number): number[] {
  const found: number[] = []
  let atMs = fromMs
  for (;;) {
    atMs -= Math.log(1 - random.next()) * everyMs
    if (atMs >= toMs) return found
    found.push(Math.round(atMs))
  }
}
