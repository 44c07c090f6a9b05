/** Location, order and colocation of Pacemaker as owners, order and rules. */
import { child, type Element } from './cib.ts'
import type { Found } from './convert.ts'
import { scoreOf } from './resources.ts'

export function convertConstraints(configuration: Element, found: Found): void {
  const locations: Element[] = []
  for (const one of child(configuration, 'constraints')?.children ?? []) {
    if (one.name === 'rsc_location') locations.push(one)
    else if (one.name === 'rsc_order') order(one, found)
    else if (one.name === 'rsc_colocation') colocation(one, found)
    else found.miss(one.name, idOf(one), 'nothing here has this meaning')
  }
  convertLocations(locations, found)
}

const idOf = ({ attributes }: Element) => attributes['id'] ?? '?'

interface Place {
  readonly node: string
  readonly score: number
}

function convertLocations(locations: readonly Element[], found: Found): void {
  const places = new Map<string, Place[]>()
  for (const one of locations) {
    const { rsc = '', node, score, role } = one.attributes
    const group = found.inGroup.get(rsc)
    if (!group || !found.groups[group])
      found.miss('rsc_location', idOf(one), `about ${rsc || 'a pattern'}, which was not taken over`)
    else if (node === undefined || one.children.length > 0)
      found.miss('rsc_location', idOf(one), 'it is a rule, not a node')
    else if (role !== undefined && role !== 'Started')
      found.miss('rsc_location', idOf(one), `role ${role}`)
    else places.set(group, [...(places.get(group) ?? []), { node, score: scoreOf(score) }])
  }
  for (const [group, all] of places) locate(group, all, found)
}

function locate(name: string, places: readonly Place[], found: Found): void {
  const group = found.groups[name]
  if (!group) return
  const banned = places.filter(({ score }) => score === Number.NEGATIVE_INFINITY)
  const liked = places.filter(({ score }) => score > 0).toSorted((a, b) => b.score - a.score)
  for (const { node, score } of places)
    if (score < 0 && Number.isFinite(score))
      found.miss(
        'rsc_location',
        `${name} on ${node}`,
        `score ${score}: preferences are an order here`,
      )
  const preferredOwners = [...new Set(liked.map(({ node }) => found.node(node)))]
  const top = liked[0]?.score ?? 0
  const stays = (found.stickiness.get(name) ?? 0) >= top
  found.groups[name] = {
    ...group,
    ...(preferredOwners.length > 0 && { preferredOwners }),
    ...(preferredOwners.length > 0 && !stays && { failback: 'at-once' }),
  }
  if (banned.length === 0) return
  const without = new Set(banned.map(({ node }) => found.node(node)))
  const possibleOwners = found.nodes.filter((node) => !without.has(node))
  // Where one of them may not be, none of the group can be.
  for (const resource of Object.values(group.resources ?? {}))
    Object.assign(resource, { possibleOwners })
}

function order(one: Element, found: Found): void {
  const { first, then, kind, score, symmetrical } = one.attributes
  const actions = [one.attributes['first-action'], one.attributes['then-action']]
  if (first === undefined || then === undefined || one.children.length > 0)
    return found.miss('rsc_order', idOf(one), 'resource sets: write one order for each two')
  if (actions.some((action) => action !== undefined && action !== 'start'))
    return found.miss('rsc_order', idOf(one), `actions ${actions.join(', ')}`)
  const [provider, dependent] = [found.inGroup.get(first), found.inGroup.get(then)]
  const group = dependent === undefined ? undefined : found.groups[dependent]
  if (!group || !provider || !found.groups[provider])
    return found.miss('rsc_order', idOf(one), `${first} then ${then}: not taken over`)
  if (provider === dependent) return within(one, first, then, found)
  if (kind === 'Serialize') return found.miss('rsc_order', idOf(one), 'kind Serialize')
  const optional =
    kind === 'Optional' || (kind === undefined && score !== undefined && scoreOf(score) === 0)
  const field = optional || symmetrical === 'false' ? 'after' : 'onlyWhile'
  const before = group[field] ?? []
  if (!before.includes(provider)) Object.assign(group, { [field]: [...before, provider] })
}

function within(one: Element, first: string, then: string, found: Found): void {
  const group = found.groups[found.inGroup.get(then) ?? '']
  const resource = group?.resources?.[found.name(then)]
  if (!resource) return found.miss('rsc_order', idOf(one), `${then} was not taken over`)
  const before = Array.isArray(resource.dependsOn) ? resource.dependsOn : []
  const name = found.name(first)
  if (!before.includes(name)) Object.assign(resource, { dependsOn: [...before, name] })
}

function colocation(one: Element, found: Found): void {
  const { rsc, 'with-rsc': other, score = 'INFINITY', 'node-attribute': attribute } = one.attributes
  const roles = [one.attributes['rsc-role'], one.attributes['with-rsc-role']]
  if (rsc === undefined || other === undefined || one.children.length > 0)
    return found.miss('rsc_colocation', idOf(one), 'resource sets: write one for each two')
  if (attribute !== undefined && attribute !== '#uname')
    return found.miss(
      'rsc_colocation',
      idOf(one),
      `by node attribute ${attribute}: see fault domains`,
    )
  if (roles.some((role) => role !== undefined && role !== 'Started'))
    return found.miss('rsc_colocation', idOf(one), `roles ${roles.join(', ')}`)
  const groups = [found.inGroup.get(rsc), found.inGroup.get(other)]
  const [a, b] = groups
  if (!a || !b || !found.groups[a] || !found.groups[b])
    return found.miss('rsc_colocation', idOf(one), `${rsc} with ${other}: not taken over`)
  if (a === b) return
  const value = scoreOf(score)
  if (value === 0) return found.miss('rsc_colocation', idOf(one), 'score 0')
  const hard = !Number.isFinite(value)
  found.rules[found.name(idOf(one))] =
    value > 0 ? { keepTogether: [a, b], hard } : { keepApart: [a, b], hard }
}
