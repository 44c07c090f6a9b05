/** Quotas of organisations: a service has its own for all, and another one for some. */
import type { Refusal } from '../schema/errors.ts'
import type { Request } from '../schema/event.ts'
import type { Hive } from '../schema/hive.ts'
import { NO_QUOTAS, type Quotas, quotas } from '../schema/quotas.ts'

const some = quotas.partial()

/**
 * @param ofAll `QUOTAS` of the environment, JSON
 * @param ofOne what the organisation has in place of it, JSON
 * @throws {Error} one of them is not what it should be
 */
export function quotasOf(ofAll: string | undefined, ofOne: string | null): Quotas {
  const read = (text: string | null | undefined) => (text ? some.parse(JSON.parse(text)) : {})
  return { ...NO_QUOTAS, ...read(ofAll), ...read(ofOne) } as Quotas
}

/** What is wrong in the settings keeps nobody from moving or stopping a group: nothing grows until it is mended. */
export function quotasFor({ QUOTAS }: { readonly QUOTAS?: string }, ofOne: string | null): Quotas {
  try {
    return quotasOf(QUOTAS, ofOne)
  } catch (error) {
    console.error(JSON.stringify({ error: `quotas cannot be read: ${error}`, QUOTAS, ofOne }))
    return { clusters: 0, nodes: 0, groups: 0, resources: 0 }
  }
}

type Kind = 'nodes' | 'groups' | 'resources'
/** What a request makes more, and what it makes fewer. */
const COUNTS: { readonly [T in Request['type']]?: readonly [Kind, 1 | -1] } = {
  joinNode: ['nodes', 1],
  evictNode: ['nodes', -1],
  createGroup: ['groups', 1],
  deleteGroup: ['groups', -1],
  createResource: ['resources', 1],
  deleteResource: ['resources', -1],
}

/** @returns why it may not be: the cluster would have more of something than its organisation may */
export function overQuota(request: Request, hive: Hive, of: Quotas): Refusal | null {
  const all = request.type === 'batch' ? request.requests : [request]
  const more: Record<Kind, number> = { nodes: 0, groups: 0, resources: 0 }
  for (const { type } of all) {
    const [kind, by] = COUNTS[type] ?? []
    if (kind) more[kind] += by ?? 0
  }
  for (const kind of ['nodes', 'groups', 'resources'] as const) {
    const wanted = hive[kind].size + more[kind]
    if (more[kind] > 0 && wanted > of[kind]) return quotaReached(kind, hive[kind].size, of[kind])
  }
  return null
}

export const quotaReached = (kind: keyof Quotas, has: number, most: number): Refusal => ({
  code: 'QUOTA_REACHED',
  message: `${kind === 'clusters' ? 'the organisation' : 'the cluster'} has ${has} ${kind}, and may have ${most}`,
  why: 'That is the quota of the organisation. Nothing was changed.',
  remedy: `Remove ${kind} that are no longer used (holdfast usage), or ask whoever runs this service for more.`,
})
