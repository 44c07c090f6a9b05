interface Env {
  CLUSTER: DurableObjectNamespace<import('./cluster-object.ts').Cluster>
  DB: D1Database
}

declare namespace Cloudflare {
  interface Env {
    CLUSTER: DurableObjectNamespace<import('./cluster-object.ts').Cluster>
    DB: D1Database
  }
}

declare module '*.sql' {
  const text: string
  export default text
}
