import type { IncomingMessage } from 'node:http'
import type { HostPolicy } from '../../schema/host-policy.ts'
import type { Call, ResourceModule } from '../../schema/resource-type.ts'
import {
  type HttpEndpointProperties,
  httpEndpointProperties,
} from '../../schema/resource-types/endpoints.ts'
import { endpointModule } from './endpoint.ts'

const BODY_BYTES_MAX = 1024 * 1024

/** Resource type `http-endpoint`: online while a GET is answered as expected. */
export function createHttpEndpoint(
  policy: HostPolicy['endpoints'],
): ResourceModule<HttpEndpointProperties> {
  return endpointModule(
    {
      type: 'http-endpoint',
      properties: httpEndpointProperties,
      hostOf: (p) => new URL(p.url).hostname,
      quick: (call, signal) => ask(call, signal, false),
      thorough: (call, signal) => ask(call, signal, true),
    },
    policy,
  )
}

async function ask(
  { properties: p }: Call<HttpEndpointProperties>,
  signal: AbortSignal,
  thorough: boolean,
): Promise<string | null> {
  const answer = await get(p, signal)
  try {
    if (!p.expectedStatus.includes(answer.statusCode ?? 0))
      return `status ${answer.statusCode} instead of ${p.expectedStatus.join(' or ')}`
    if (!thorough || p.bodyContains === undefined) return null
    const parts: Buffer[] = []
    let bytes = 0
    for await (const part of answer) {
      parts.push(part)
      bytes += part.length
      if (bytes >= BODY_BYTES_MAX) break
    }
    const body = Buffer.concat(parts).subarray(0, BODY_BYTES_MAX).toString('utf8')
    // What the body says instead is nobody's business here.
    return body.includes(p.bodyContains) ? null : 'the body lacks the expected text'
  } finally {
    answer.destroy()
  }
}

/** A connection of its own for each look: one that is kept alive says nothing about the next. */
async function get(p: HttpEndpointProperties, signal: AbortSignal): Promise<IncomingMessage> {
  const secure = p.url.startsWith('https:')
  // TLS costs memory in every RHS: it is loaded where it is used.
  const { request } = secure ? await import('node:https') : await import('node:http')
  // It may have been given up while that was loaded.
  signal.throwIfAborted()
  const options = {
    agent: false as const,
    signal,
    headers: { 'user-agent': 'holdfast', ...p.headers },
    ...(secure && { rejectUnauthorized: !p.insecure }),
  }
  return new Promise((resolve, reject) => {
    const asking = request(p.url, options, resolve)
    asking.once('error', reject)
    asking.end()
  })
}
