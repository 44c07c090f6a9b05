/** Primitives and groups of Pacemaker as groups and resources. */
import type { ConfigText } from '../../schema/api/config.ts'
import { child, childrenOf, type Element, pairs } from './cib.ts'
import type { Found } from './convert.ts'

type Group = NonNullable<ConfigText['groups']>[string]
type Resource = NonNullable<Group['resources']>[string]

/** Kinds that are more than one copy of something. */
const COPIES = ['clone', 'master', 'bundle']

export function convertResources(configuration: Element, found: Found): void {
  const resources = child(configuration, 'resources')
  const defaults = metaOf(child(configuration, 'rsc_defaults'))
  for (const one of resources?.children ?? []) {
    const id = one.attributes['id'] ?? '?'
    if (one.name === 'primitive') convertGroup(id, [one], one, defaults, found)
    else if (one.name === 'group')
      convertGroup(id, childrenOf(one, 'primitive'), one, defaults, found)
    else if (COPIES.includes(one.name))
      found.miss(
        one.name,
        id,
        'a group here is one copy; make one for each node, kept apart, or leave it to the software',
      )
    else found.miss(one.name, id, 'nothing here has this meaning')
  }
}

const metaOf = (of: Element | undefined) => (of ? pairs(of, 'meta_attributes') : new Map())

function convertGroup(
  id: string,
  primitives: readonly Element[],
  holder: Element,
  defaults: ReadonlyMap<string, string>,
  found: Found,
): void {
  const name = found.name(id)
  const resources: Record<string, Resource> = {}
  let before: string | null = null
  const own = pairs(holder, 'meta_attributes')
  for (const primitive of primitives) {
    const { id: from = '?' } = primitive.attributes
    found.inGroup.set(from, name)
    if (primitive.attributes['class'] === 'stonith') {
      found.miss('primitive', from, 'fencing is set for a node: holdfast fence add NODE --agent …')
      continue
    }
    const meta = new Map([...defaults, ...own, ...pairs(primitive, 'meta_attributes')])
    const resource = convertPrimitive(primitive, meta, found)
    if (!resource) continue
    const called = found.name(from)
    resources[called] = before === null ? resource : { ...resource, dependsOn: [before] }
    before = called
  }
  if (Object.keys(resources).length === 0) return
  found.inGroup.set(id, name)
  const priority = Number(own.get('priority') ?? defaults.get('priority') ?? 0)
  found.groups[name] = {
    ...(Number.isInteger(priority) && priority !== 0 && { priority }),
    // It stays where it is: its stickiness outweighs where it would rather be.
    resources,
  }
  found.stickiness.set(
    name,
    scoreOf(own.get('resource-stickiness') ?? defaults.get('resource-stickiness')),
  )
}

/** Meta attributes that are taken over, or have no meaning here and need none. */
const KNOWN_META = new Set([
  ...['migration-threshold', 'failure-timeout', 'target-role', 'resource-stickiness', 'priority'],
  ...['allow-migrate', 'ordered', 'collocated'],
])

function convertPrimitive(
  primitive: Element,
  meta: ReadonlyMap<string, string>,
  found: Found,
): Resource | null {
  const { id = '?', class: kind = '', provider = '', type = '', template } = primitive.attributes
  if (template !== undefined) {
    found.miss('primitive', id, `it is made from template ${template}: write it out`)
    return null
  }
  const typed = typeOf(primitive, kind, provider, type)
  if (!typed) {
    found.miss(
      'primitive',
      id,
      `class ${kind}:${type} has no counterpart; type script or process may do`,
    )
    return null
  }
  for (const name of meta.keys())
    if (!KNOWN_META.has(name)) found.miss('meta attribute', `${id} ${name}`, `${meta.get(name)}`)
  if (child(primitive, 'utilization'))
    found.miss('utilization', id, 'what a group needs: holdfast group change --needs')
  const [restart, poll] = [restartOf(meta, id, found), pollOf(primitive, id, found)]
  return {
    ...typed,
    ...(meta.get('target-role')?.toLowerCase() === 'stopped' && { state: 'offline' as const }),
    ...(restart && { restart }),
    ...(poll && { poll }),
  }
}

function typeOf(
  primitive: Element,
  kind: string,
  provider: string,
  type: string,
): Pick<Resource, 'type' | 'properties'> | null {
  const parameters = Object.fromEntries(pairs(primitive, 'instance_attributes'))
  if (kind === 'ocf')
    return {
      type: 'ocf',
      properties: {
        agent: `ocf:${provider}:${type}`,
        ...(Object.keys(parameters).length > 0 && { parameters }),
        ...timeouts(primitive),
      },
    }
  if (kind === 'systemd')
    return {
      type: 'systemd-unit',
      properties: { unit: type.endsWith('.service') ? type : `${type}.service` },
    }
  return null
}

const operations = (primitive: Element): readonly Element[] =>
  childrenOf(child(primitive, 'operations'), 'op')

function timeouts(primitive: Element): { timeouts?: Record<string, number> } {
  const out: Record<string, number> = {}
  for (const { attributes } of operations(primitive)) {
    const ms = timeOf(attributes['timeout'])
    const name = attributes['name'] ?? ''
    if (ms !== null && ['start', 'stop', 'monitor'].includes(name)) out[`${name}Ms`] = ms
  }
  return Object.keys(out).length > 0 ? { timeouts: out } : {}
}

const IS_ALIVE_MIN_MS = 200

/** The monitor that is asked most often is IsAlive, one with a depth is LooksAlive. */
function pollOf(primitive: Element, id: string, found: Found): Resource['poll'] | null {
  const every: number[] = []
  for (const { attributes } of operations(primitive)) {
    if (attributes['name'] !== 'monitor') continue
    if (attributes['role'] !== undefined && attributes['role'] !== 'Started') {
      found.miss('operation', `${id} monitor`, `role ${attributes['role']}`)
      continue
    }
    const ms = timeOf(attributes['interval'])
    if (ms !== null && ms >= IS_ALIVE_MIN_MS) every.push(ms)
    const onFail = attributes['on-fail']
    if (onFail !== undefined && onFail !== 'restart')
      found.miss('operation', `${id} monitor`, `on-fail ${onFail}`)
  }
  if (every.length === 0) return null
  const [isAlive, looksAlive] = [Math.min(...every), Math.max(...every)]
  return {
    isAlive: `${isAlive}ms`,
    ...(looksAlive > isAlive && looksAlive >= 1_000 && { looksAlive: `${looksAlive}ms` }),
  }
}

function restartOf(
  meta: ReadonlyMap<string, string>,
  id: string,
  found: Found,
): Resource['restart'] | null {
  const threshold = meta.get('migration-threshold')
  const periodMs = timeOf(meta.get('failure-timeout'))
  const score = threshold === undefined ? null : scoreOf(threshold)
  if (score !== null && !Number.isFinite(score)) {
    found.miss('meta attribute', `${id} migration-threshold`, 'INFINITY: restarts here are counted')
    return null
  }
  if (score === null && periodMs === null) return null
  return {
    // The failure that reaches the threshold moves it: one restart less.
    ...(score !== null && score > 0 && { attempts: score - 1 }),
    ...(periodMs !== null && periodMs > 0 && { period: `${periodMs}ms` }),
  }
}

const UNITS: Readonly<Record<string, number>> = {
  ...{ '': 1_000, s: 1_000, sec: 1_000, ms: 1, msec: 1, m: 60_000, min: 60_000 },
  ...{ h: 3_600_000, hr: 3_600_000, us: 0.001, usec: 0.001 },
}

/** `20`, `20s`, `5min`, `100ms` → milliseconds; null: none, or nothing that is known. */
export function timeOf(text: string | undefined): number | null {
  const [, count, unit = ''] = /^(\d+)\s*([a-z]*)$/i.exec(text ?? '') ?? []
  const factor = UNITS[unit.toLowerCase()]
  return count === undefined || factor === undefined ? null : Math.round(Number(count) * factor)
}

/** Pacemaker's million is its infinity. */
const INFINITY_SCORE = 1_000_000

export function scoreOf(text: string | undefined): number {
  const [, sign, size = ''] = /^([+-]?)(INFINITY|\d+)$/i.exec(text ?? '0') ?? []
  const value = /^inf/i.test(size) ? Number.POSITIVE_INFINITY : Number(size)
  const bounded = value >= INFINITY_SCORE ? Number.POSITIVE_INFINITY : value
  return sign === '-' ? -bounded : bounded
}
