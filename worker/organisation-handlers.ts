/** An organisation as a file, and its end: for owners alone. */
import { drizzle } from 'drizzle-orm/d1'
import type * as z from 'zod'
import type { MemberRole } from '../schema/api/access.ts'
import type { deleteOrganisation, OrganisationDeleted } from '../schema/api/organisation.ts'
import { HoldfastError } from '../schema/errors.ts'
import { organisationEnd } from './accounts/organisation-end.ts'
import { streamOf } from './backup-lines.ts'
import { accountsOf, asking, type Call } from './calls.ts'
import { doomedCount, sweepObjects } from './doomed-objects.ts'
import { mustConfirm, runningIn, WHY_IN_USE } from './ends.ts'
import { organisationText } from './organisation-lines.ts'

export const organisationHandlers = {
  exportOrganisation: async (call: Call) => {
    mustOwn(call)
    return streamOf(organisationText(call))
  },

  deleteOrganisation: async (
    call: Call<z.output<typeof deleteOrganisation>>,
  ): Promise<OrganisationDeleted> => {
    mustOwn(call)
    const { id, name } = asking(call).organisation
    const { confirm, force } = call.body
    mustConfirm('organisation', name, confirm)
    const clusters = await call.tenants.clusters(id)
    const running = force ? [] : await runningIn(call.env, clusters)
    if (running.length > 0) throw inUse(running)
    if (call.write.dryRun) {
      const told = {
        ...{ action: 'deleteOrganisation', about: { kind: 'organisation', id, name }, asked: {} },
        changes: [
          { table: 'organisation', id, before: { name }, after: null },
          ...clusters.map((one) => {
            return { table: 'cluster', id: one.id, before: { name: one.name }, after: null }
          }),
        ],
      }
      await accountsOf(call).commit(call.write, told, {}, [])
      return { organisation: name, clusters: clusters.length, pending: 0 }
    }
    // Neither an answer nor an entry of an audit log is kept of it: nothing of the organisation is.
    const [first, ...more] = organisationEnd(call.env.DB, id, Date.now())
    if (first) await drizzle(call.env.DB).batch([first, ...more])
    const objectIds = clusters.map((one) => one.objectId)
    // It is deleted by now: what is left over of its objects is for whoever sweeps next.
    await sweepObjects(call.env).catch(() => {})
    const pending = await doomedCount(call.env, objectIds).catch(() => objectIds.length)
    return { organisation: name, clusters: clusters.length, pending }
  },
}

/** @throws {HoldfastError} FORBIDDEN */
function mustOwn(call: Call<unknown>): void {
  if (asking(call).role === ('owner' satisfies MemberRole)) return
  throw new HoldfastError({
    code: 'FORBIDDEN',
    message: 'this needs an owner of the organisation',
    why: 'All that an organisation has only owners take along or delete; no key is one.',
    remedy: 'Ask an owner: holdfast member list shows who they are.',
  })
}

const inUse = (running: readonly string[]) =>
  new HoldfastError({
    code: 'ORGANISATION_IN_USE',
    message: `groups run in ${running.slice(0, 10).join(', ')}`,
    why: WHY_IN_USE,
    remedy:
      'Take them offline first (holdfast offline GROUP), or delete all the same: holdfast org delete NAME --force',
  })
