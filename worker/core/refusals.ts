import type { Refusal } from '../../schema/errors.ts'
import type { Group, Node, Resource } from '../../schema/hive.ts'
import type { Draft } from './draft.ts'

export function notFound(what: 'node' | 'group' | 'resource' | 'rule', id: string): Refusal {
  return {
    code: 'NOT_FOUND',
    message: `there is no ${what} "${id}"`,
    remedy: `List them: holdfast ${what} list`,
  }
}

/** Names differ at a glance, so that nobody mistakes one thing for another of its kind. */
export function nameTaken(
  what: 'node' | 'group' | 'resource' | 'rule',
  name: string,
  others: readonly { name: string }[],
): Refusal | null {
  const glance = atAGlance(name)
  const taken = others.find((other) => atAGlance(other.name) === glance)
  if (!taken) return null
  return {
    code: 'NAME_TAKEN',
    message:
      taken.name === name
        ? `a ${what} named "${name}" exists already`
        : `"${name}" could be mistaken for the ${what} "${taken.name}"`,
    why: 'Names are compared without regard to case; 0 and o, 1 and l count as the same.',
    remedy: 'Choose another name.',
  }
}

const atAGlance = (name: string) => name.toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l')

export function limitReached(what: string, max: number): Refusal {
  return {
    code: 'LIMIT_REACHED',
    message: `a cluster has at most ${max} ${what}`,
    remedy: 'Remove some that are no longer used, or form another cluster.',
  }
}

export function findNode(draft: Draft, id: string): Node | Refusal {
  return draft.node(id) ?? notFound('node', id)
}

export function findGroup(draft: Draft, id: string): Group | Refusal {
  return draft.group(id) ?? notFound('group', id)
}

export function findResource(draft: Draft, id: string): Resource | Refusal {
  return draft.resource(id) ?? notFound('resource', id)
}

export function isRefusal(x: object): x is Refusal {
  return 'code' in x && 'message' in x
}

/** The first node of a list that the cluster does not have. */
export function unknownNode(draft: Draft, ids: readonly string[] | null | undefined) {
  const id = ids?.find((nodeId) => !draft.node(nodeId))
  return id === undefined ? null : notFound('node', id)
}

/** It is on its way already. */
export function busy(
  draft: Draft,
  group: Group,
  ownership: Extract<Group['ownership'], { phase: 'releasing' }>,
): Refusal {
  return {
    code: 'GROUP_BUSY',
    message: `group "${group.name}" is already leaving ${draft.node(ownership.owner)?.name ?? ownership.owner}`,
    why: `reason: ${ownership.reason}`,
    remedy: `Wait until it is settled: holdfast status ${group.name}`,
  }
}

/** Why it takes no group; of one that takes some: not this one. */
export function codeOfNode({ state, paused }: Node): Refusal['code'] {
  if (state === 'down') return 'NODE_DOWN'
  if (state === 'leaving') return 'NODE_LEAVING'
  return paused ? 'NODE_PAUSED' : 'NOT_POSSIBLE_OWNER'
}
