import type { Refusal } from '../../schema/errors.ts'
import type { Group, Node, Resource } from '../../schema/hive.ts'
import type { Draft } from './draft.ts'

export function notFound(what: 'node' | 'group' | 'resource', id: string): Refusal {
  return {
    code: 'NOT_FOUND',
    message: `there is no ${what} "${id}"`,
    remedy: `List them: holdfast ${what} list`,
  }
}

export function nameTaken(what: 'node' | 'group' | 'resource', name: string): Refusal {
  return {
    code: 'NAME_TAKEN',
    message: `a ${what} named "${name}" exists already`,
    remedy: 'Choose another name; names are compared without regard to case.',
  }
}

export function limitReached(what: string, max: number): Refusal {
  return {
    code: 'LIMIT_REACHED',
    message: `a cluster has at most ${max} ${what}`,
    remedy: 'Remove some that are no longer used, or form another cluster.',
  }
}

/** Names differ by more than case, so that nobody mistakes one for the other. */
export function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
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
