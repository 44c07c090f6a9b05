import { app } from './app.ts'
import { sweepObjects } from './doomed-objects.ts'

export { Cluster } from './cluster-object.ts'

export default {
  fetch: app.fetch,
  /** What was interrupted is finished, also where nobody calls. */
  scheduled: (_, env, context) => context.waitUntil(sweepObjects(env)),
} satisfies ExportedHandler<Env>
