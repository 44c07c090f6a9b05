interface WorkerEnv {
  CLUSTER: DurableObjectNamespace<import('./cluster-object.ts').Cluster>
  DB: D1Database
  /** Header in which the platform's edge says the caller's address; unset where no edge overwrites it. */
  ADDRESS_HEADER?: string
  /** `any`: webhooks may point to private addresses; for a control plane of one's own. */
  WEBHOOK_TARGETS?: string
  /** Seals what people are handed; without it nobody has an account. */
  AUTH_SECRET?: string
  /** Where people reach this control plane: links in mails begin with it. */
  PUBLIC_URL?: string
  /** `open`, `invited` or `closed`; default `closed`. */
  SIGN_UP?: string
  /** Who else says who somebody is: the issuer's URL, and what this control plane is to it (OpenID Connect). */
  OIDC_ISSUER?: string
  OIDC_CLIENT_ID?: string
  /** Unset: a public client, which proves itself by PKCE alone. */
  OIDC_CLIENT_SECRET?: string
  /** What people call the provider. Unset: its host's name. */
  OIDC_NAME?: string
  /** URL that mails are handed to, or `console`; without it none is sent. */
  MAIL?: string
  /** Bearer token for that URL. */
  MAIL_WEBHOOK_TOKEN?: string
  /** Makes whoever presents it the owner of organisation `default`: once, and until the time that it says. */
  OWNER_TOKEN?: string
  /** For tests: retries of webhooks come, and a group's trouble is over, by this factor sooner (0.001) or later. */
  WEBHOOK_RETRY_FACTOR?: string
  /** JSON of what every organisation may have; unset: what the product can bear. */
  QUOTAS?: string
  /** `off`: what clusters use is not noted day by day. */
  USAGE?: string
  /** `eu` or `fedramp`: where new clusters are kept and run. Unset: anywhere. */
  JURISDICTION?: string
  /** Multiplies every rate limit; 0: none. Unset: 1. */
  RATE_FACTOR?: string
}

interface Env extends WorkerEnv {}

/** As the platform's own modules name it. */
declare namespace Cloudflare {
  interface Env extends WorkerEnv {}
}

declare module '*.sql' {
  const text: string
  export default text
}
