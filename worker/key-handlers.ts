/** API keys of an organisation. */
import type * as z from 'zod'
import type * as k from '../schema/api/keys.ts'
import { HoldfastError } from '../schema/errors.ts'
import { ApiKeys, type ClusterRow, type KeyChange, parseScopes } from './api-keys.ts'
import { accountsOf, asking, type Call, notFound } from './calls.ts'
import type { Scope } from './principal.ts'
import { endStreams } from './stream-ends.ts'

export const keyHandlers = {
  whoami: async (call: Call): Promise<z.input<typeof k.whoami>> => {
    const { kind, id, name, organisation, role, scopes, expiresAtMs } = asking(call)
    const clusters = await call.tenants.clusters(organisation.id)
    return { kind, id, name, organisation, role, scopes: shown(scopes, clusters), expiresAtMs }
  },

  listKeys: async (call: Call): Promise<{ keys: z.input<typeof k.keyView>[] }> => {
    const { id } = asking(call).organisation
    const [clusters, keys] = await Promise.all([
      call.tenants.clusters(id),
      new ApiKeys(call.env.DB).list(id),
    ])
    return {
      keys: keys.map(({ key, scopes, prefixes, state }) => {
        const { id, name, createdAtMs, createdBy, expiresAtMs, lastUsedAtMs } = key
        return {
          ...{ id, name, scopes: shown(scopes, clusters), prefixes, state },
          ...{ createdAtMs, createdBy, expiresAtMs, lastUsedAtMs },
        }
      }),
    }
  },

  createKey: async (call: Call<z.output<typeof k.createKey>>) => {
    const by = asking(call)
    const clusters = await call.tenants.clusters(by.organisation.id)
    const scopes = call.body.scopes.map(({ role, cluster }): Scope => {
      if (cluster === undefined) return { role, cluster: null }
      const found = clusters.find((one) => one.id === cluster || one.name === cluster)
      if (!found) throw notFound('cluster', cluster)
      return { role, cluster: found.id }
    })
    const { name, ttlMs } = call.body
    const commit = committing(call, 'createKey', { name, scopes, ttlMs })
    return new ApiKeys(call.env.DB).create(by, { name, scopes, ttlMs }, commit)
  },

  rotateKey: async (call: Call<z.output<typeof k.rotateKey>>) => {
    const { keys, row } = await named(call)
    const { overlapMs } = call.body
    const answer = await keys.rotate(row, overlapMs, committing(call, 'rotateKey', { overlapMs }))
    await ended(call, row)
    return answer
  },

  revokeKey: async (call: Call) => {
    const { keys, row } = await named(call)
    if (row.id === asking(call).id)
      throw new HoldfastError({
        code: 'KEY_IN_USE',
        message: `key "${row.name}" cannot revoke itself`,
        why: 'It may be the last one that can make keys.',
        remedy: 'Revoke it with another admin key; to replace its secret: holdfast key rotate NAME',
      })
    const answer = await keys.revoke(row, committing(call, 'revokeKey', {}))
    await ended(call, row)
    return answer
  },
}

/** With its entry in the audit log, and its answer. */
const committing =
  (call: Call<unknown>, action: string, asked: Record<string, unknown>) =>
  ({ id, name, before, after, answer, work }: KeyChange): Promise<void> => {
    const changes = [{ table: 'key', id, before, after }]
    const told = { action, about: { kind: 'key', id, name }, asked, changes }
    return accountsOf(call).commit(call.write, told, answer, work)
  }

/** Whoever still has a valid secret comes back with it. */
async function ended(call: Call<unknown>, { id, scopes }: { id: string; scopes: string }) {
  if (call.write.dryRun) return
  const clusters = await call.tenants.clusters(asking(call).organisation.id)
  await endStreams(call.env, { id, scopes: parseScopes(scopes) }, clusters)
}

async function named(call: Call<unknown>) {
  const keys = new ApiKeys(call.env.DB)
  const reference = call.params['key'] ?? ''
  const row = await keys.find(asking(call).organisation.id, reference)
  if (!row) throw notFound('key', reference, 'List what there is: holdfast key list')
  return { keys, row }
}

/** Scopes of clusters that are there no more are good for nothing, and not shown. */
function shown(scopes: readonly Scope[], clusters: readonly ClusterRow[]): k.ScopeView[] {
  return scopes.flatMap(({ role, cluster }): k.ScopeView[] => {
    if (cluster === null) return [{ role, cluster: null }]
    const found = clusters.find((one) => one.id === cluster)
    return found ? [{ role, cluster: { id: found.id, name: found.name } }] : []
  })
}
