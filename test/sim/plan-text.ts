/**
 * A history as text, one directive a line, so that it can be kept, read, changed and played again:
 *
 *     # why it is kept
 *     seed 17
 *     profile test
 *     nodes 3
 *     group child 1
 *     world delayMaxMs=12 loss=0 …
 *     at 3200 killGuard n2 seed 99
 *     at 4000 ask moveTo seed 5
 *     end 32500
 *     rest 48000
 */
import { profileName } from '../../schema/timing.ts'
import type { GroupPlan, WorldPlan } from '../../sim/world/setting.ts'
import { isAskKind } from './asks.ts'
import type { Ask, Plan, Strike } from './plan.ts'
import { isStrikeKind } from './strikes/index.ts'

export function planText(plan: Plan, why: readonly string[] = []): string {
  const world = Object.entries(plan.world).map(([key, value]) => `${key}=${value}`)
  const moments = [
    ...plan.strikes.map(({ atMs, kind, host, seed }) => ({
      atMs,
      text: `at ${atMs} ${kind} n${(host % plan.nodes) + 1} seed ${seed}`,
    })),
    ...plan.asks.map(({ atMs, kind, seed }) => ({
      atMs,
      text: `at ${atMs} ask ${kind} seed ${seed}`,
    })),
  ].sort((a, b) => a.atMs - b.atMs)
  const lines = [
    ...why.map((line) => `# ${line}`),
    `seed ${plan.seed}`,
    `profile ${plan.profile}`,
    `nodes ${plan.nodes}`,
    ...plan.groups.map(({ way, members }) => `group ${way} ${members}`),
    `world ${world.join(' ')}`,
    ...moments.map(({ text }) => text),
    `end ${plan.endMs}`,
    `rest ${plan.restMs}`,
  ]
  return `${lines.join('\n')}\n`
}

/** A file that cannot be played, with the line that is wrong. */
export class BadHistory extends Error {
  constructor(name: string, line: number, text: string, why: string) {
    super(`${name}:${line}: ${why}\n  ${line} | ${text}`)
  }
}

type Draft = {
  -readonly [K in keyof Plan]?: Plan[K]
} & { groups: GroupPlan[]; strikes: Strike[]; asks: Ask[] }

/** @throws {BadHistory} an unknown directive, or one that is incomplete */
export function parsePlan(text: string, name: string): Plan {
  const draft: Draft = { groups: [], strikes: [], asks: [] }
  const lines = text.split('\n')
  lines.forEach((line, n) => {
    const words = line.trim().split(/\s+/)
    if (words[0] === '' || line.trimStart().startsWith('#')) return
    const why = take(draft, words)
    if (why !== null) throw new BadHistory(name, n + 1, line, why)
  })
  for (const key of ['seed', 'profile', 'nodes', 'world', 'endMs', 'restMs'] as const)
    if (draft[key] === undefined)
      throw new BadHistory(name, lines.length, '', `the history does not say its ${key}`)
  return draft as Plan
}

/** @returns what is wrong with the line, or null */
function take(draft: Draft, [directive = '', ...words]: string[]): string | null {
  switch (directive) {
    case 'seed':
      return number(words[0], (seed) => Object.assign(draft, { seed }))
    case 'nodes':
      return number(words[0], (nodes) => Object.assign(draft, { nodes }), 1)
    case 'end':
      return number(words[0], (endMs) => Object.assign(draft, { endMs }))
    case 'rest':
      return number(words[0], (rest) => Object.assign(draft, { restMs: rest }))
    case 'profile': {
      const profile = profileName.safeParse(words[0])
      if (!profile.success) return `there is no profile "${words[0]}"`
      draft.profile = profile.data
      return null
    }
    case 'group': {
      const [way = '', members] = words
      if (way !== 'child' && way !== 'gate') return `a group starts by child or gate, not "${way}"`
      return number(members, (count) => draft.groups.push({ way, members: count }), 1)
    }
    case 'world':
      return takeWorld(draft, words)
    case 'at':
      return takeMoment(draft, words)
    default:
      return `there is no directive "${directive}"; known: seed, profile, nodes, group, world, at, end, rest`
  }
}

const FENCING: readonly string[] = ['none', 'lease', 'fence']

const WORLD: Readonly<Record<keyof WorldPlan, 'number' | 'boolean' | 'fencing'>> = {
  delayMaxMs: 'number',
  loss: 'number',
  alarmLateMaxMs: 'number',
  alarmLate: 'number',
  syncMaxMs: 'number',
  onlineMaxMs: 'number',
  offlineMaxMs: 'number',
  killMaxMs: 'number',
  flaky: 'number',
  hangs: 'number',
  lies: 'number',
  managerLateMaxMs: 'number',
  extremeClocks: 'boolean',
  ipcMaxMs: 'number',
  runFolderLasts: 'boolean',
  watchdog: 'boolean',
  peers: 'boolean',
  fencing: 'fencing',
}

function takeWorld(draft: Draft, words: readonly string[]): string | null {
  // What a history does not have that was kept before there was such a thing.
  const none = {
    peers: false,
    fencing: 'none',
    ipcMaxMs: 0,
    runFolderLasts: false,
    watchdog: false,
  }
  const world: Record<string, number | boolean | string> = none
  for (const word of words) {
    const [key = '', value = ''] = word.split('=')
    if (!Object.hasOwn(WORLD, key)) return `the world has no "${key}"`
    const kind = WORLD[key as keyof WorldPlan]
    if (kind === 'boolean') world[key] = value === 'true'
    else if (kind === 'fencing' && FENCING.includes(value)) world[key] = value
    else if (kind === 'fencing') return `fencing is one of ${FENCING.join(', ')}, not "${value}"`
    else {
      const wrong = number(value, (n) => Object.assign(world, { [key]: n }), 0, false)
      if (wrong) return `${key}: ${wrong}`
    }
  }
  const missing = Object.keys(WORLD).find((key) => !(key in world))
  if (missing) return `the world does not say its ${missing}`
  draft.world = world as unknown as WorldPlan
  return null
}

function takeMoment(draft: Draft, [at, ...words]: readonly string[]): string | null {
  let atMs = 0
  const wrong = number(at, (ms) => {
    atMs = ms
  })
  if (wrong) return wrong
  if (words[0] === 'ask') {
    const [, kind = '', seedWord, seed] = words
    if (!isAskKind(kind)) return `an operator does not ask for "${kind}"`
    if (seedWord !== 'seed') return 'at TIME ask KIND seed NUMBER'
    return number(seed, (n) => draft.asks.push({ atMs, kind, seed: n }))
  }
  const [kind = '', host = '', seedWord, seed] = words
  if (!isStrikeKind(kind)) return `there is no fault "${kind}"`
  const [, nth] = /^n([1-9]\d*)$/.exec(host) ?? []
  if (nth === undefined || seedWord !== 'seed') return 'at TIME FAULT nHOST seed NUMBER'
  return number(seed, (n) => draft.strikes.push({ atMs, kind, host: Number(nth) - 1, seed: n }))
}

function number(
  text: string | undefined,
  took: (value: number) => unknown,
  least = 0,
  whole = true,
): string | null {
  const value = Number(text)
  if (text === undefined || text === '' || !Number.isFinite(value) || value < least)
    return `"${text ?? ''}" is not a number of ${least} or more`
  if (whole && !Number.isSafeInteger(value)) return `"${text}" is not a whole number`
  took(value)
  return null
}
