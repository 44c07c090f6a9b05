import { once } from 'node:events'
import { createConnection } from 'node:net'
import type { HostPolicy } from '../../schema/host-policy.ts'
import type { Call, ResourceModule } from '../../schema/resource-type.ts'
import {
  type TcpEndpointProperties,
  tcpEndpointProperties,
} from '../../schema/resource-types/endpoints.ts'
import { endpointModule } from './endpoint.ts'

const ANSWER_BYTES_MAX = 64 * 1024

/** Resource type `tcp-endpoint`: online while a port accepts connections. */
export function createTcpEndpoint(
  policy: HostPolicy['endpoints'],
): ResourceModule<TcpEndpointProperties> {
  return endpointModule(
    {
      type: 'tcp-endpoint',
      properties: tcpEndpointProperties,
      hostOf: (p) => p.host,
      quick: (call, signal) => connect(call, signal, false),
      thorough: (call, signal) => connect(call, signal, true),
    },
    policy,
  )
}

async function connect(
  { properties: p }: Call<TcpEndpointProperties>,
  signal: AbortSignal,
  thorough: boolean,
): Promise<string | null> {
  // One that is over already is never told again: the connect would hang for the kernel's time.
  signal.throwIfAborted()
  const socket = createConnection({ host: p.host, port: p.port })
  const end = () => socket.destroy(new Error('no answer in time'))
  signal.addEventListener('abort', end, { once: true })
  try {
    await once(socket, 'connect')
    if (!thorough) return null
    if (p.send !== undefined) socket.write(p.send)
    if (p.bodyContains === undefined) return null
    let answer = ''
    for await (const part of socket) {
      answer += (part as Buffer).toString('latin1')
      if (answer.includes(Buffer.from(p.bodyContains).toString('latin1'))) return null
      if (answer.length >= ANSWER_BYTES_MAX) break
    }
    return 'the answer lacks the expected text'
  } finally {
    signal.removeEventListener('abort', end)
    socket.on('error', () => {})
    socket.destroy()
  }
}
