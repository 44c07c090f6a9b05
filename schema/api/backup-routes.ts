/** The part of the HTTP API that takes a cluster into a file, and makes one from it. */
import * as z from 'zod'
import { LIMITS } from '../limits.ts'
import { restoreCluster, restored } from './backup.ts'
import type { Route } from './route.ts'

export const LINES_TYPE = 'application/x-ndjson'

export const backupRoutes = {
  backupCluster: {
    method: 'GET',
    path: '/v1/clusters/:cluster/backup',
    access: 'admin',
    summary: 'Hive and journal of the cluster as JSON Lines with a checksum, without secrets',
    produces: LINES_TYPE,
    response: z.string(),
  },
  restoreCluster: {
    method: 'POST',
    path: '/v1/restores',
    access: 'admin',
    summary: 'Makes a new cluster from the first two lines of a backup; nothing is started by it',
    body: restoreCluster,
    bytesMax: LIMITS.restoreBytesMax,
    response: restored,
  },
} as const satisfies Record<string, Route>
