/** The end of one cluster: hive, journal, logs and tokens. */
import * as z from 'zod'
import { LIMITS } from '../limits.ts'
import type { Route } from './route.ts'

const deleteCluster = z.strictObject({
  confirm: z
    .string()
    .max(LIMITS.nameLengthMax)
    .describe('The name of the cluster, so that it is not another one.'),
  force: z
    .boolean()
    .default(false)
    .describe('Also while groups run: their hosts stop them when their leases end.'),
})
export type DeleteCluster = z.output<typeof deleteCluster>

const clusterDeleted = z.object({ id: z.string(), cluster: z.string() })
export type ClusterDeleted = z.infer<typeof clusterDeleted>

export const clusterEndRoutes = {
  deleteCluster: {
    method: 'POST',
    path: '/v1/clusters/:cluster/delete',
    access: 'admin',
    ofAccounts: true,
    summary: 'Deletes the cluster with its hive, journal and logs, for good',
    body: deleteCluster,
    response: clusterDeleted,
  },
} as const satisfies Record<string, Route>
