import * as z from 'zod'

const timeoutMs = z
  .int()
  .min(50)
  .max(60_000)
  .default(2_000)
  .describe('How long one look may take, from the connect to the answer.')
const retryEveryMs = z
  .int()
  .min(50)
  .max(60_000)
  .default(250)
  .describe('While it is being brought online: pause between two looks.')
const maxLatencyMs = z
  .int()
  .min(1)
  .max(60_000)
  .optional()
  .describe('LooksAlive: slower than this is online and degraded.')

/** Visible ASCII without a line break: nothing that could add a header or a request. */
const headerText = z
  .string()
  .max(8_192)
  .regex(/^[\x20-\x7e\t]*$/)

/** Properties of resource type `http-endpoint`. It starts nothing: it watches what another starts. */
export const httpEndpointProperties = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .max(4_096)
    .refine(
      (url) => !/^https?:\/\/[^/?#]*@/.test(url),
      'without user and password: put them into a header',
    )
    .describe('Address to GET, http or https. Hosts other than this one need the host policy.'),
  expectedStatus: z
    .array(z.int().min(100).max(599))
    .min(1)
    .max(100)
    .default([200])
    .describe('Status codes that mean alive. Redirects are not followed.'),
  bodyContains: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .describe('LooksAlive: text in the first MiB of the body.'),
  headers: z
    .record(
      z
        .string()
        .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/)
        .max(256),
      headerText,
    )
    .default({})
    .describe('Headers of the request. Their values are in no log and no status.'),
  insecure: z
    .boolean()
    .default(false)
    .describe('Accept any certificate: for endpoints with one of their own.'),
  timeoutMs,
  retryEveryMs,
  maxLatencyMs,
})
export type HttpEndpointProperties = z.infer<typeof httpEndpointProperties>

/** Properties of resource type `tcp-endpoint`. It starts nothing: it watches what another starts. */
export const tcpEndpointProperties = z.strictObject({
  host: z
    .string()
    .regex(/^[A-Za-z0-9.:_-]+$/)
    .max(253)
    .default('127.0.0.1')
    .describe('Name or address. Hosts other than the one it runs on need the host policy.'),
  port: z.int().min(1).max(65_535).describe('Port to connect to.'),
  send: z
    .string()
    .max(4_096)
    .optional()
    .describe('LooksAlive: text to send after the connect, with escapes as in JSON.'),
  bodyContains: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .describe('LooksAlive: text in the first 64 KiB of what comes back.'),
  timeoutMs,
  retryEveryMs,
  maxLatencyMs,
})
export type TcpEndpointProperties = z.infer<typeof tcpEndpointProperties>
