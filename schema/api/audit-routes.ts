/** The part of the HTTP API that tells who has changed what. */
import { auditPage, auditQuery } from './audit.ts'
import type { Route } from './route.ts'

export const auditRoutes = {
  listClusterAudit: {
    method: 'GET',
    path: '/v1/clusters/:cluster/audit',
    access: 'admin',
    summary: 'Audit log of the cluster: every write, carried out or refused, hash-chained',
    query: auditQuery,
    response: auditPage,
  },
  listAudit: {
    method: 'GET',
    path: '/v1/audit',
    access: 'admin',
    summary: 'Audit log of the organisation: keys, join tokens and clusters made, hash-chained',
    query: auditQuery,
    response: auditPage,
  },
} as const satisfies Record<string, Route>
