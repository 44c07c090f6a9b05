/**
 * `metrics`: what the guard says, as OpenMetrics text, once or on a port of this host. A process of its own:
 * the guard has no network, and whatever happens here is none of its business.
 */
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { BlockList, isIP } from 'node:net'
import type { Command } from 'commander'
import { HoldfastError } from '../../schema/errors.ts'
import { OPEN_METRICS_TYPE, openMetricsText } from '../../schema/open-metrics.ts'
import { askGuard } from '../host/ask-guard.ts'
import { hostMetrics } from '../status/metrics.ts'
import { EXIT } from './exit-codes.ts'
import type { Host, Runner } from './host.ts'

export function addMetrics(program: Command, runner: Runner): void {
  program
    .command('metrics')
    .description('what this host holds as OpenMetrics text: once, or where it is asked for')
    .option('--listen <where>', 'answers GET /metrics there: a loopback address and a port')
    .action(runner.action<{ listen?: string }>(metrics))
}

async function metrics(host: Host, { listen }: { listen?: string }): Promise<number> {
  if (listen === undefined) {
    const families = hostMetrics(await askGuard(host.folders.run, { do: 'status' }))
    host.answer({ families }, openMetricsText(families))
    return EXIT.done
  }
  const where = parseListen(listen)
  const server = serve(shared(() => textOf(host.folders.run)))
  server.listen(where)
  await listening(server, listen)
  const { port } = server.address() as { port: number }
  host.note(`metrics of this host: http://${listen.replace(/\d+$/, String(port))}/metrics`)
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  server.close()
  server.closeAllConnections()
  return EXIT.done
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/** @throws {HoldfastError} BAD_REQUEST: no address and port, or one that others reach */
export function parseListen(text: string): { host: string; port: number } {
  const [, v6, v4, digits = ''] = /^(?:\[([0-9a-f:]+)\]|([0-9.]+)):(\d{1,5})$/i.exec(text) ?? []
  const host = v6 ?? v4 ?? ''
  const family = isIP(host)
  const port = Number(digits)
  if (family === 0 || port > 65_535) throw refusedListen(text, 'It is no address and port.')
  if (!LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4'))
    throw refusedListen(text, 'Whoever reaches that address could read it: there is no key for it.')
  return { host, port }
}

const refusedListen = (text: string, why: string) =>
  new HoldfastError({
    code: 'BAD_REQUEST',
    message: `metrics are not served at "${text.slice(0, 100)}"`,
    why,
    remedy: 'Name a loopback address, such as 127.0.0.1:9464 or [::1]:9464.',
  })

async function listening(server: Server, where: string): Promise<void> {
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new HoldfastError(
      {
        code: 'UNAVAILABLE',
        message: `metrics cannot be served at ${where}`,
        why: cause instanceof Error ? cause.message : String(cause),
        remedy: 'Name another port, or end what listens there.',
      },
      { cause },
    )
  }
}

async function textOf(runFolder: string): Promise<string> {
  try {
    return openMetricsText(hostMetrics(await askGuard(runFolder, { do: 'status' })))
  } catch (error) {
    // That nobody answers is what is to be shown.
    if (error instanceof HoldfastError) return openMetricsText(hostMetrics(null))
    throw error
  }
}

/** However many ask at the same time, the guard is asked once. */
function shared(ask: () => Promise<string>): () => Promise<string> {
  let asked: Promise<string> | null = null
  return () => {
    asked ??= ask().finally(() => {
      asked = null
    })
    return asked
  }
}

function serve(text: () => Promise<string>): Server {
  const server = createServer({ requestTimeout: 10_000 }, async (request, response) => {
    const plain = (status: number, said: string) =>
      end(response, status, 'text/plain; charset=utf-8', said)
    if (request.url?.split('?')[0] !== '/metrics') return plain(404, 'there is only /metrics\n')
    if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'only GET\n')
    try {
      end(response, 200, OPEN_METRICS_TYPE, await text())
    } catch (error) {
      plain(500, `${error instanceof Error ? error.message : error}\n`)
    }
  })
  server.maxConnections = 32
  return server
}

function end(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text)
}
