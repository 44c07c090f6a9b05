/** `cloudflare:workers` and the globals of workerd, as far as the Durable Object uses them. */

export class DurableObject {
  readonly ctx: unknown
  readonly env: unknown

  constructor(ctx: unknown, env: unknown) {
    this.ctx = ctx
    this.env = env
  }
}

type MakePair = () => { client: object; server: object }
let makePair: MakePair = () => {
  throw new Error('no pair is to be had here')
}

/** Whose fetch is under way makes the pair. */
export function pairsFrom(make: MakePair): void {
  makePair = make
}

// Names of the platform.
export class WebSocketPair {
  readonly 0: object
  readonly 1: object

  constructor() {
    const { client, server } = makePair()
    this[0] = client
    this[1] = server
  }
}

export class WebSocketRequestResponsePair {
  readonly request: string
  readonly response: string

  constructor(request: string, response: string) {
    this.request = request
    this.response = response
  }
}

const RealResponse = globalThis.Response
interface Init {
  status?: number
  headers?: Record<string, string>
  webSocket?: object
}

/** One that may be 101, with a socket: Node.js makes none of those. */
export function Response(body: string | null, { webSocket, ...init }: Init = {}): object {
  const { status = 200 } = init
  const response = new RealResponse(body, { ...init, status: status === 101 ? 200 : status })
  Object.defineProperty(response, 'status', { value: status })
  Object.defineProperty(response, 'webSocket', { value: webSocket ?? null })
  return response
}

/** Only what the product reads of it. */
export const WebSocket = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const
