/** One call of the HTTP API. */
import type * as z from 'zod'
import type { Access } from './access.ts'

export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  /** Who may call it: there is no route that does not say so. */
  readonly access: Access
  readonly summary: string
  /** Of a write that is committed with the accounts, though its path names a cluster. */
  readonly ofAccounts?: true
  /** Of a write that cannot be tried without being done: why. */
  readonly noDryRun?: string
  /** Of an answer that is about one version of the hive (`seq`): it comes with an ETag. */
  readonly versioned?: true
  readonly body?: z.ZodType
  /** Of the body; else LIMITS.bodyBytesMax. */
  readonly bytesMax?: number
  readonly query?: z.ZodType
  /** Of an answer; else 200. */
  readonly status?: 202
  /** Content type of an answer that is text; else it is JSON. */
  readonly produces?: string
  readonly response: z.ZodType
}
