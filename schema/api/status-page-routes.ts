/** The part of the HTTP API by which a cluster is shown to anybody who has the link, and no longer. */
import * as z from 'zod'
import { instantMs, name } from '../ids.ts'
import { LIMITS } from '../limits.ts'
import type { Route } from './route.ts'

const PATH = '/v1/clusters/:cluster/status-page'

export const publishStatusPage = z.strictObject({
  /** Groups that are named there, or `all`, also those that are made later; all others are only counted. */
  groups: z.union([z.literal('all'), z.array(name).max(LIMITS.statusPageGroupsMax)]).default([]),
  /** Another link, which ends the one before. */
  renew: z.boolean().default(false),
})

export const statusPageView = z.object({
  /** The page, and the badge: whoever has the link sees it. */
  url: z.string(),
  badgeUrl: z.string(),
  groups: z.union([z.literal('all'), z.array(z.string())]),
  createdAtMs: instantMs,
})
export type StatusPageView = z.infer<typeof statusPageView>

export const statusPageRoutes = {
  getStatusPage: {
    method: 'GET',
    path: PATH,
    access: 'admin',
    summary: 'Where the cluster is shown to anybody who has the link; null: nowhere',
    response: z.object({ page: statusPageView.nullable() }),
  },
  publishStatusPage: {
    method: 'POST',
    path: PATH,
    access: 'admin',
    ofAccounts: true,
    summary: 'Shows states of groups to anybody who has the link: never nodes or addresses',
    body: publishStatusPage,
    response: statusPageView,
  },
  unpublishStatusPage: {
    method: 'DELETE',
    path: PATH,
    access: 'admin',
    ofAccounts: true,
    summary: 'Its link leads nowhere any more',
    response: z.object({ was: z.boolean() }),
  },
} as const satisfies Record<string, Route>
