/** An empty route to an empty object, in a workerd of its own: what the API is compared with. */
import { Log, LogLevel, Miniflare } from 'miniflare'

/** The least that a request through a Worker to a Durable Object can be. */
const EMPTY = `
import { DurableObject } from 'cloudflare:workers'
export class Empty extends DurableObject {
  nothing() { return 0 }
}
export default {
  async fetch(_request, env) {
    await env.EMPTY.get(env.EMPTY.idFromName('empty')).nothing()
    return new Response('{}', { headers: { 'content-type': 'application/json' } })
  },
}
`

export async function startEmpty(): Promise<{ url: string; stop(): Promise<void> }> {
  const name = 'empty'
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port: 0,
    cf: false,
    logRequests: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.ERROR),
    workers: [
      {
        config: {
          name,
          compatibilityDate: '2026-10-01',
          manifest: {
            mainModule: 'worker.js',
            modules: { 'worker.js': { type: 'esm', contents: EMPTY } },
          },
          exports: { Empty: { type: 'durable-object', storage: 'sqlite' } },
          env: { EMPTY: { type: 'durable-object', worker: name, exportName: 'Empty' } },
        },
      },
    ],
  } as unknown as ConstructorParameters<typeof Miniflare>[0])
  const url = await miniflare.ready
  return { url: String(url), stop: () => miniflare.dispose() }
}
