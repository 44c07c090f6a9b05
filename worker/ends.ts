/** What is asked before something ends for good: which one it is, and whether anything runs in it. */
import { HoldfastError } from '../schema/errors.ts'
import { LIMITS } from '../schema/limits.ts'
import type { ClusterRow } from './api-keys.ts'
import { stubOf } from './calls.ts'

/** @throws {HoldfastError} BAD_REQUEST */
export function mustConfirm(what: 'cluster' | 'organisation', name: string, said: string): void {
  if (said === name) return
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: `to delete ${what} "${name}", confirm it by that name`,
    why: 'The name that was given is another one. Nothing was deleted.',
    remedy: `Say which one is meant: {"confirm": "${name}"}`,
    errors: [{ pointer: '/confirm', message: `not the name of the ${what}` }],
  })
}

/** Clusters with groups that run, or that do not say: `name (groups)`. */
export async function runningIn(env: Env, clusters: readonly ClusterRow[]): Promise<string[]> {
  const running: string[] = []
  for (let at = 0; at < clusters.length; at += LIMITS.metricClustersAtOnce)
    await Promise.all(
      clusters.slice(at, at + LIMITS.metricClustersAtOnce).map(async ({ name, objectId }) => {
        try {
          const { groups } = await stubOf(env, objectId).read({ what: 'cluster' })
          const owned = groups.filter((group) => group.owner !== null).map((group) => group.name)
          if (owned.length > 0) running.push(`${name} (${owned.slice(0, 5).join(', ')})`)
        } catch {
          running.push(`${name} (does not answer)`)
        }
      }),
    )
  return running.sort()
}

/** Why it is no end that anybody would want who has not said so. */
export const WHY_IN_USE =
  'Their hosts would stop them when their leases end, and under takeover policy "fence" run them on with nobody to watch. Nothing was deleted.'
