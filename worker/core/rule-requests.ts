/** What an operator says about where groups should be: policy, room of nodes, rules between groups. */
import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import type { Node } from '../../schema/hive.ts'
import { LIMITS } from '../../schema/limits.ts'
import { type Rule, STARTS_PER_NODE } from '../../schema/placement.ts'
import type { Draft } from './draft.ts'
import { findNode, isRefusal, limitReached, nameTaken, notFound } from './refusals.ts'

type Of<T extends Request['type']> = Extract<Request, { type: T }>

export function setPlacement(draft: Draft, r: Of<'setPlacement'>, by: string): Refusal | null {
  const { cluster } = draft
  if (!cluster || (cluster.placement ?? 'list') === r.placement) return null
  draft.put(
    { table: 'cluster', id: cluster.id, value: { ...cluster, placement: r.placement } },
    { manager: 'FM', code: 'placementChanged', evidence: { by, placement: r.placement } },
  )
  return null
}

export function setStarts(draft: Draft, r: Of<'setStarts'>, by: string): Refusal | null {
  const { cluster } = draft
  const { startsPerNode } = r
  if (!cluster || (cluster.startsPerNode ?? STARTS_PER_NODE) === startsPerNode) return null
  draft.put(
    { table: 'cluster', id: cluster.id, value: { ...cluster, startsPerNode } },
    { manager: 'RCM', code: 'startsChanged', evidence: { by, startsPerNode } },
  )
  return null
}

export function changeNode(draft: Draft, r: Of<'changeNode'>, by: string): Refusal | null {
  const node = findNode(draft, r.nodeId)
  if (isRefusal(node)) return node
  const { capacity, faultDomain, ...rest } = node
  const capacityNow = r.capacity === undefined ? capacity : r.capacity
  const domainNow = r.faultDomain === undefined ? faultDomain : r.faultDomain
  const value: Node = {
    ...rest,
    ...(capacityNow && { capacity: capacityNow }),
    ...(domainNow && { faultDomain: domainNow }),
  }
  draft.put(
    { table: 'node', id: node.id, value },
    { manager: 'NM', code: 'nodeChanged', evidence: { by } },
  )
  return null
}

export function createRule(draft: Draft, r: Of<'createRule'>, by: string): Refusal | null {
  const rules = draft.rules()
  if (rules.length >= LIMITS.rulesMax) return limitReached('rules', LIMITS.rulesMax)
  const taken = nameTaken('rule', r.name, rules)
  if (taken) return taken
  const unknown = r.groups.find((id) => !draft.group(id))
  if (unknown !== undefined) return notFound('group', unknown)
  const groups = [...new Set(r.groups)]
  if (groups.length < 2)
    return {
      code: 'BAD_REQUEST',
      message: `rule "${r.name}" is about one group only`,
      remedy: 'Name two groups or more that differ.',
    }
  const { ruleId: id, name, kind, hard, source } = r
  const value: Rule = {
    ...{ id, name, kind, groups, hard, createdAtMs: draft.nowMs, createdBy: by },
    ...(source !== undefined && { source }),
  }
  const refused = contradiction(draft, [...rules, value], value)
  if (refused) return refused
  draft.put({ table: 'rule', id, value }, { manager: 'FM', code: 'ruleCreated', evidence: { by } })
  return null
}

export function deleteRule(draft: Draft, r: Of<'deleteRule'>, by: string): Refusal | null {
  if (!draft.rules().some((rule) => rule.id === r.ruleId)) return notFound('rule', r.ruleId)
  draft.put(
    { table: 'rule', id: r.ruleId, value: null },
    { manager: 'FM', code: 'ruleDeleted', evidence: { by } },
  )
  return null
}

/** Two groups that hard rules keep together by way of others must not be kept apart by one. */
function contradiction(draft: Draft, rules: readonly Rule[], made: Rule): Refusal | null {
  const hard = rules.filter((rule) => rule.hard)
  const together = hard.filter((rule) => rule.kind === 'keepTogether')
  for (const apart of hard.filter((rule) => rule.kind === 'keepApart'))
    for (const from of apart.groups) {
      const joined = joinedTo(from, together)
      const other = apart.groups.find((id) => id !== from && joined.has(id))
      if (other === undefined) continue
      const by = [...new Set([...(joined.get(other) ?? []), apart])].filter((r) => r !== made)
      const name = (id: string) => draft.group(id)?.name ?? id
      return {
        code: 'RULES_CONTRADICT',
        message: `rule "${made.name}" contradicts ${by.map(definedAt).join(' and ')}: ${name(from)} and ${name(other)} would be kept together and apart`,
        why: by
          .map(
            (r) => `${definedAt(r)}: ${r.kind} ${r.groups.map(name).join(', ')}, by ${r.createdBy}`,
          )
          .join('; '),
        remedy: `Remove one of them first (holdfast rule delete ${by[0]?.name}), or make one of them soft.`,
      }
    }
  return null
}

const definedAt = ({ name, source }: Rule): string =>
  source === undefined ? `"${name}"` : `"${name}" (${source})`

/** Everything that is kept together with a group, and the rules by which it is. */
function joinedTo(from: string, rules: readonly Rule[]): Map<string, readonly Rule[]> {
  const found = new Map<string, readonly Rule[]>([[from, []]])
  for (const [id, by] of found)
    for (const rule of rules)
      if (rule.groups.includes(id))
        for (const next of rule.groups) if (!found.has(next)) found.set(next, [...by, rule])
  found.delete(from)
  return found
}
