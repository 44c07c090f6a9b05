/** The part of the HTTP API by which an owner takes an organisation along, or ends it. */
import * as z from 'zod'
import { LINES_TYPE } from './backup-routes.ts'
import { deleteOrganisation, organisationDeleted } from './organisation.ts'
import type { Route } from './route.ts'

export const organisationRoutes = {
  exportOrganisation: {
    method: 'GET',
    path: '/v1/organisation/export',
    access: 'admin',
    summary: 'All that the organisation has, without secrets, as JSON Lines; for owners alone',
    produces: LINES_TYPE,
    response: z.string(),
  },
  deleteOrganisation: {
    method: 'POST',
    path: '/v1/organisation/delete',
    access: 'admin',
    summary: 'Deletes the organisation with its clusters, keys and logs; for owners alone',
    body: deleteOrganisation,
    response: organisationDeleted,
  },
} as const satisfies Record<string, Route>
