/** The part of the HTTP API about webhooks. */
import * as z from 'zod'
import { LIMITS } from '../limits.ts'
import type { Route } from './route.ts'
import * as w from './webhooks.ts'

export const webhookRoutes = {
  listWebhooks: {
    method: 'GET',
    path: '/v1/webhooks',
    access: 'admin',
    summary: 'Webhook endpoints of the organisation; never their secrets',
    response: z.object({ webhooks: z.array(w.webhookView) }),
  },
  createWebhook: {
    method: 'POST',
    path: '/v1/webhooks',
    access: 'admin',
    summary: 'Makes a webhook endpoint; its signing secret is shown this once',
    body: w.createWebhook,
    response: w.webhookCreated,
  },
  changeWebhook: {
    method: 'PATCH',
    path: '/v1/webhooks/:webhook',
    access: 'admin',
    summary: 'Changes where it points to and what it tells, or switches it off or on',
    body: w.changeWebhook,
    response: w.webhookView,
  },
  rotateWebhook: {
    method: 'POST',
    path: '/v1/webhooks/:webhook/rotate',
    access: 'admin',
    summary: 'A new signing secret; the one before signs as well for a while',
    body: w.rotateWebhook,
    response: w.webhookRotated,
  },
  deleteWebhook: {
    method: 'DELETE',
    path: '/v1/webhooks/:webhook',
    access: 'admin',
    summary: 'Nothing is sent to it any more',
    response: w.webhookDeleted,
  },
  testWebhook: {
    method: 'POST',
    noDryRun: 'It sends.',
    path: '/v1/webhooks/:webhook/test',
    access: 'admin',
    summary: 'Sends a test event, and says what became of it',
    response: w.webhookTested,
  },
  triggerWebhook: {
    method: 'POST',
    noDryRun: 'It sends.',
    path: '/v1/webhooks/:webhook/trigger',
    access: 'admin',
    summary: 'Sends the example of a type of event, and says what became of it',
    body: w.triggerWebhook,
    response: w.webhookTested,
  },
  listWebhookEvents: {
    method: 'GET',
    path: '/v1/clusters/:cluster/webhook-events',
    access: 'read',
    summary: 'What webhooks tell of a cluster, in order, whoever is told; waits for what comes',
    query: z.strictObject({
      /** Only what came behind this sequence number; without it nothing, and from where to go on. */
      after: z.coerce.number().int().nonnegative().optional(),
      limit: z.coerce.number().int().min(1).max(LIMITS.pageSizeMax).optional(),
      /** When there is nothing: how long to wait for it. */
      waitMs: z.coerce.number().int().min(0).max(30_000).optional(),
    }),
    response: w.toldEvents,
  },
  listDeliveries: {
    method: 'GET',
    path: '/v1/clusters/:cluster/webhooks/:webhook/deliveries',
    access: 'admin',
    summary: 'What one cluster has sent to an endpoint, newest first, with each attempt',
    query: z.strictObject({
      /** Only older ones than this sequence number. */
      before: z.coerce.number().int().positive().optional(),
      limit: z.coerce.number().int().min(1).max(LIMITS.pageSizeMax).optional(),
      state: z.enum(['pending', 'delivered', 'gaveUp']).optional(),
    }),
    response: z.object({ deliveries: z.array(w.deliveryView) }),
  },
  replayWebhook: {
    method: 'POST',
    noDryRun: 'It sends.',
    path: '/v1/clusters/:cluster/webhooks/:webhook/replay',
    access: 'admin',
    summary: 'Sends one message again, or all since an instant that did not get through',
    body: w.replayWebhook,
    response: w.webhookReplayed,
  },
} as const satisfies Record<string, Route>
