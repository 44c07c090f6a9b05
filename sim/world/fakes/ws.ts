/** The package `ws`, as far as the probe's link uses it. */
import { EventEmitter } from 'node:events'
import { type Dialled, worldNow } from '../host-world.ts'

export default class WebSocket extends EventEmitter {
  static readonly OPEN = 1
  readyState = 0
  readonly #line: Dialled

  constructor(
    url: string,
    { headers, handshakeTimeout }: { headers: Record<string, string>; handshakeTimeout: number },
  ) {
    super()
    setTimeout(() => {
      if (this.readyState !== 0) return
      this.terminate()
      this.emit('error', new Error('Opening handshake has timed out'))
    }, handshakeTimeout)
    this.#line = worldNow().dial(url, headers, {
      opened: () => {
        this.readyState = 1
        const { address } = worldNow()
        if (address !== '') this.emit('upgrade', { socket: { localAddress: address } })
        this.emit('open')
      },
      message: (text) => this.emit('message', text, false),
      closed: (code, reason) => {
        this.readyState = 3
        this.emit('close', code, reason)
      },
      refused: (status, said, text) => {
        this.readyState = 3
        const response = new EventEmitter()
        Object.assign(response, { statusCode: status, headers: said })
        this.emit('unexpected-response', null, response)
        response.emit('data', text)
        response.emit('end')
      },
    })
  }

  send(text: string): void {
    this.#line.send(text)
  }

  terminate(): void {
    this.readyState = 3
    this.#line.end(false)
  }
}
