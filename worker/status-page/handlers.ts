/** A cluster is shown to anybody who has the link, and no longer. */
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import type * as z from 'zod'
import type { publishStatusPage, StatusPageView } from '../../schema/api/status-page-routes.ts'
import { statusPages } from '../../schema/tables/tenants.ts'
import { accountsOf, type Call, ids, open, view } from '../calls.ts'
import { newPublicId } from './public-id.ts'

type Row = typeof statusPages.$inferSelect
type Named = readonly { readonly id: string; readonly name: string }[]

export const statusPageHandlers = {
  getStatusPage: async (call: Call) => {
    const row = await rowOf(call)
    return { page: row && viewOf(call, row, (await view(open(call).stub)).groups) }
  },

  publishStatusPage: async (call: Call<z.output<typeof publishStatusPage>>) => {
    const { groups, renew } = call.body
    const { row: cluster, stub } = open(call)
    const [before, seen] = await Promise.all([rowOf(call), view(stub)])
    const named = groups === 'all' ? null : await ids(stub, 'group', [...new Set(groups)])
    const row: Row = {
      clusterId: cluster.id,
      publicId: before && !renew ? before.publicId : newPublicId(),
      groups: named && JSON.stringify(named),
      createdAtMs: before && !renew ? before.createdAtMs : Date.now(),
    }
    const answer = viewOf(call, row, seen.groups)
    const work = drizzle(call.env.DB)
      .insert(statusPages)
      .values(row)
      .onConflictDoUpdate({ target: statusPages.clusterId, set: row })
    const changes = { before: before && told(before), after: { ...told(row), newLink: renew } }
    await commit(call, { ...changes, answer, work: [work] })
    return answer
  },

  unpublishStatusPage: async (call: Call) => {
    const before = await rowOf(call)
    const answer = { was: before !== null }
    const { id } = open(call).row
    const work = drizzle(call.env.DB).delete(statusPages).where(eq(statusPages.clusterId, id))
    await commit(call, { before: before && told(before), after: null, answer, work: [work] })
    return answer
  },
}

async function rowOf(call: Call): Promise<Row | null> {
  const ofCluster = eq(statusPages.clusterId, open(call).row.id)
  const found = await drizzle(call.env.DB).select().from(statusPages).where(ofCluster).get()
  return found ?? null
}

function viewOf({ env, url }: Call, { publicId, groups, createdAtMs }: Row, all: Named) {
  const origin = env.PUBLIC_URL?.replace(/\/+$/, '') ?? new URL(url).origin
  const named = groups === null ? null : (JSON.parse(groups) as string[])
  const page = `${origin}/status/${publicId}`
  return {
    ...{ url: page, badgeUrl: `${page}/badge.svg`, createdAtMs },
    groups: named ? all.flatMap(({ id, name }) => (named.includes(id) ? name : [])) : 'all',
  } satisfies StatusPageView
}

/** For the audit log: whoever reads that need not have the link. */
const told = ({ groups, createdAtMs }: Row) => ({
  groups: groups === null ? 'all' : (JSON.parse(groups) as string[]),
  createdAtMs,
})

interface Change {
  readonly before: object | null
  readonly after: object | null
  readonly answer: object
  readonly work: Parameters<ReturnType<typeof accountsOf>['commit']>[3]
}

function commit(call: Call, { before, after, answer, work }: Change): Promise<void> {
  const { id, name } = open(call).row
  const entry = {
    ...{ action: call.write.route, about: { kind: 'cluster', id, name } },
    asked: { ...(call.body as object | undefined) },
    changes: before || after ? [{ table: 'statusPage', id, before, after }] : [],
  }
  return accountsOf(call).commit(call.write, entry, answer, work)
}
