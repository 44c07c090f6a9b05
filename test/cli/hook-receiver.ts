/** Takes webhooks on loopback, and keeps what it has heard. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HeardHook {
  readonly headers: Record<string, string>
  readonly body: string
}

export class HookReceiver {
  heard: HeardHook[] = []
  /** What it answers. */
  status = 204
  readonly #server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      this.heard.push({ headers: request.headers as Record<string, string>, body })
      response.writeHead(this.status).end()
    })
  })

  start(): Promise<void> {
    return new Promise((done) => this.#server.listen(0, '127.0.0.1', done))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`
  }

  close(): void {
    this.#server.close()
  }
}
