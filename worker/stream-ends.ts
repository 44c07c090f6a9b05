/** Event streams that were opened with a key end when it does: the objects that hold them are told. */
import { LIMITS } from '../schema/limits.ts'
import type { ClusterRow } from './api-keys.ts'
import type { Scope } from './principal.ts'
import { WATCH_PATH } from './watchers.ts'

/**
 * Behind the commit. An object that cannot be told ends them by itself when their key is to be looked at again
 * (LIMITS.streamAuthorisedMs): so nothing fails with it.
 */
export async function endStreams(
  env: Env,
  key: { readonly id: string; readonly scopes: readonly Scope[] },
  clusters: readonly ClusterRow[],
): Promise<void> {
  const { id, scopes } = key
  const held = clusters.filter((one) =>
    scopes.some(({ cluster }) => cluster === null || cluster === one.id),
  )
  const url = `https://cluster${WATCH_PATH}?${new URLSearchParams({ key: id })}`
  for (let at = 0; at < held.length; at += LIMITS.streamEndsAtOnce)
    await Promise.allSettled(
      held.slice(at, at + LIMITS.streamEndsAtOnce).map(({ objectId }) => {
        const object = env.CLUSTER.get(env.CLUSTER.idFromString(objectId))
        return object.fetch(url, { method: 'DELETE' })
      }),
    )
}
