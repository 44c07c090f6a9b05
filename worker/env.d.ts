interface Env {
  CLUSTER: DurableObjectNamespace<import('./cluster-object.ts').Cluster>
  DB: D1Database
  /** Header in which the platform's edge says the caller's address; unset where no edge overwrites it. */
  ADDRESS_HEADER?: string
}

declare namespace Cloudflare {
  interface Env {
    CLUSTER: DurableObjectNamespace<import('./cluster-object.ts').Cluster>
    DB: D1Database
    ADDRESS_HEADER?: string
  }
}

declare module '*.sql' {
  const text: string
  export default text
}
