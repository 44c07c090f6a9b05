/** Who is called by webhooks: a real HTTP server on loopback that verifies what it gets. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { parseWebhookEvent, type WebhookEvent } from '../../schema/webhook-events.ts'

export interface Call {
  readonly id: string
  readonly event: WebhookEvent
  /** What it was answered. */
  readonly status: number
  readonly atMs: number
}

export class Receiver {
  readonly calls: Call[] = []
  readonly #server: Server
  /** Set once the endpoint is made; without it nothing is accepted. */
  secret = ''
  /** What the next one is answered. */
  answer: (call: Omit<Call, 'status'>, nth: number) => number = () => 204
  readonly #seen = new Map<string, number>()

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<Receiver> {
    const server = createServer()
    const receiver = new Receiver(server)
    server.on('request', (request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const body = Buffer.concat(parts).toString()
        const status = receiver.#take(request.headers as Record<string, string>, body)
        response.writeHead(status, status === 302 ? { location: 'http://127.0.0.1:1/' } : {}).end()
      })
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`
  }

  #take(headers: Record<string, string>, body: string): number {
    // Whoever does not know the secret is refused, as a receiver should.
    const event = parseWebhookEvent(new Webhook(this.secret).verify(body, headers))
    const id = headers['webhook-id'] ?? ''
    const nth = (this.#seen.get(id) ?? 0) + 1
    this.#seen.set(id, nth)
    const call = { id, event, atMs: Date.now() }
    const status = this.answer(call, nth)
    this.calls.push({ ...call, status })
    return status
  }

  /** Those that were accepted, each once, in the order in which they came first. */
  get accepted(): WebhookEvent[] {
    const once = new Map(this.calls.filter((c) => c.status < 300).map((c) => [c.id, c.event]))
    return [...once.values()]
  }

  /** Sequence numbers in the order of the first attempts. */
  get firstAttempts(): number[] {
    return [...new Map(this.calls.map((c) => [c.id, c.event.sequence])).values()]
  }

  async until(is: () => boolean, ms = 30_000): Promise<void> {
    for (const endMs = performance.now() + ms; !is(); ) {
      if (performance.now() > endMs)
        throw new Error(`waited in vain; came: ${JSON.stringify(this.calls.slice(-20))}`)
      await new Promise((done) => setTimeout(done, 10))
    }
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((done) => this.#server.close(() => done()))
  }
}
