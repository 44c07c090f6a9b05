interface Env {
  CLUSTER: DurableObjectNamespace<import('./cluster-object.ts').Cluster>
  DB: D1Database
  /** Header in which the platform's edge says the caller's address; unset where no edge overwrites it. */
  ADDRESS_HEADER?: string
  /** `any`: webhooks may point to private addresses; for a control plane of one's own. */
  WEBHOOK_TARGETS?: string
  /** For tests: retries of webhooks come by this factor sooner (0.001) or later. */
  WEBHOOK_RETRY_FACTOR?: string
  /** `eu` or `fedramp`: where new clusters are kept and run. Unset: anywhere. */
  JURISDICTION?: string
  /** Multiplies every rate limit; 0: none. Unset: 1. */
  RATE_FACTOR?: string
}

declare namespace Cloudflare {
  interface Env {
    CLUSTER: DurableObjectNamespace<import('./cluster-object.ts').Cluster>
    DB: D1Database
    ADDRESS_HEADER?: string
    WEBHOOK_TARGETS?: string
    WEBHOOK_RETRY_FACTOR?: string
    JURISDICTION?: string
    RATE_FACTOR?: string
  }
}

declare module '*.sql' {
  const text: string
  export default text
}
