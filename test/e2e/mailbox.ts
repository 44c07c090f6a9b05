/** Who sends mails for a control plane whose MAIL is a URL: a real HTTP server on loopback that keeps them. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as z from 'zod'
import { eventually } from './demo.ts'

const mailShape = z.strictObject({ to: z.email(), subject: z.string(), text: z.string() })

export class Mailbox {
  readonly mails: z.infer<typeof mailShape>[] = []
  /** Of each call, as it was presented. */
  readonly presented: (string | undefined)[] = []
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<Mailbox> {
    const server = createServer()
    const mailbox = new Mailbox(server)
    server.on('request', (request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        mailbox.presented.push(request.headers.authorization)
        mailbox.mails.push(mailShape.parse(JSON.parse(Buffer.concat(parts).toString())))
        response.writeHead(202).end()
      })
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    return mailbox
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/send`
  }

  /** The token in the newest mail to somebody. */
  token(to: string): Promise<string> {
    return eventually(`a mail to ${to}`, () => {
      const mail = this.mails.findLast((one) => one.to === to)
      return /#[a-z]+=(hf[a-z]_\S+)/.exec(mail?.text ?? '')?.[1]
    })
  }

  close(): Promise<void> {
    return new Promise((done) => void this.#server.close(() => done()))
  }
}
