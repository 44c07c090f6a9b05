import { app } from './app.ts'

export { Cluster } from './cluster-object.ts'

export default app satisfies ExportedHandler<Env>
