/**
 * One connection to a libvirt daemon: frames, serial numbers, replies. What the calls mean is in
 * `client.ts`.
 *
 * Frame: length (with itself), program, version, procedure, type, serial, status, each 4 bytes.
 * @see libvirt, src/rpc/virnetprotocol.x
 */
import { connect, type Socket } from 'node:net'
import { XdrReader, type XdrWriter } from './xdr.ts'

/** libvirt refused a call. */
export class LibvirtError extends Error {
  override readonly name = 'LibvirtError'
  /** virErrorNumber, e.g. 42: no such domain. */
  readonly code: number
  /** virErrorDomain: which part of libvirt speaks, e.g. 10: the QEMU driver. */
  readonly domain: number

  constructor(code: number, domain: number, message: string) {
    super(message)
    this.code = code
    this.domain = domain
  }
}

/** The daemon is not there, or went away while it was asked. Says nothing of its domains. */
export class LibvirtGone extends Error {
  override readonly name = 'LibvirtGone'
}

/** No answer within the call's deadline. The call may still be carried out later. */
export class LibvirtTimeout extends Error {
  override readonly name = 'LibvirtTimeout'
}

/** When to give up on a call: after so many milliseconds, or when the signal fires. */
export interface Deadline {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export const REMOTE_PROGRAM = 0x20008086
export const QEMU_PROGRAM = 0x20008087
const KEEPALIVE_PROGRAM = 0x6b656570
const VERSION = 1
const HEADER_LENGTH = 28
/** VIR_NET_MESSAGE_MAX, with room for later versions. */
const FRAME_LENGTH_MAX = 64 * 1024 * 1024
const TYPE = { call: 0, reply: 1, message: 2 } as const
const STATUS_OK = 0
const KEEPALIVE_PING = 1
const KEEPALIVE_PONG = 2
const DEFAULT_TIMEOUT_MS = 10_000

interface Pending {
  resolve(body: XdrReader): void
  reject(error: Error): void
}

export class LibvirtConnection {
  readonly #socket: Socket
  readonly #pending = new Map<number, Pending>()
  readonly #onMessage: (procedure: number, body: XdrReader) => void
  readonly #onGone: (error: LibvirtGone) => void
  #received: Buffer[] = []
  #receivedLength = 0
  #serial = 0
  #gone: LibvirtGone | null = null

  /** Resolves when the daemon has taken the connection; nothing is opened in it yet. */
  static connect(
    path: string,
    deadline: Deadline,
    onMessage: (procedure: number, body: XdrReader) => void,
    onGone: (error: LibvirtGone) => void,
  ): Promise<LibvirtConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(path)
      const stop = onDeadline(deadline, (error) => {
        socket.destroy()
        reject(error)
      })
      socket.once('error', (error) => {
        stop()
        reject(new LibvirtGone(`libvirt at ${path}: ${error.message}`, { cause: error }))
      })
      socket.once('connect', () => {
        stop()
        socket.removeAllListeners('error')
        resolve(new LibvirtConnection(socket, path, onMessage, onGone))
      })
    })
  }

  private constructor(
    socket: Socket,
    path: string,
    onMessage: (procedure: number, body: XdrReader) => void,
    onGone: (error: LibvirtGone) => void,
  ) {
    this.#socket = socket
    this.#onMessage = onMessage
    this.#onGone = onGone
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('error', (error) => this.#end(`libvirt at ${path}: ${error.message}`))
    socket.on('close', () => this.#end(`libvirt at ${path} has closed the connection`))
  }

  /**
   * Sends one call and waits for its reply.
   *
   * @throws {LibvirtError} refused
   * @throws {LibvirtGone} the daemon is gone
   * @throws {LibvirtTimeout} no answer in time
   */
  call(
    program: number,
    procedure: number,
    body: XdrWriter,
    deadline: Deadline,
  ): Promise<XdrReader> {
    if (this.#gone !== null) return Promise.reject(this.#gone)
    this.#serial = (this.#serial + 1) >>> 0
    const serial = this.#serial
    return new Promise((resolve, reject) => {
      // A reply that comes after all finds nobody and is dropped.
      const stop = onDeadline(deadline, (error) => {
        this.#pending.delete(serial)
        reject(error)
      })
      this.#pending.set(serial, {
        resolve(reply) {
          stop()
          resolve(reply)
        },
        reject(error) {
          stop()
          reject(error)
        },
      })
      this.#send(program, procedure, TYPE.call, serial, body.bytes())
    })
  }

  close(): void {
    this.#end('closed')
  }

  #send(program: number, procedure: number, type: number, serial: number, body: Buffer): void {
    const header = Buffer.allocUnsafe(HEADER_LENGTH)
    const words = [
      HEADER_LENGTH + body.length,
      program,
      VERSION,
      procedure,
      type,
      serial,
      STATUS_OK,
    ]
    for (const [at, word] of words.entries()) header.writeUInt32BE(word, at * 4)
    this.#socket.write(Buffer.concat([header, body]))
  }

  #receive(chunk: Buffer): void {
    this.#received.push(chunk)
    this.#receivedLength += chunk.length
    try {
      while (this.#gone === null) {
        const frame = this.#takeFrame()
        if (frame === null) return
        this.#dispatch(frame)
      }
    } catch (error) {
      // A frame that cannot be read leaves us out of step with the daemon.
      this.#end(`libvirt sent a frame that cannot be read: ${String(error)}`)
    }
  }

  /** The next whole frame. Chunks are joined only once a frame is complete. */
  #takeFrame(): Buffer | null {
    const first = this.#received[0]
    if (first === undefined || this.#receivedLength < 4) return null
    if (first.length < 4) this.#received = [Buffer.concat(this.#received)]
    const length = this.#received[0]?.readUInt32BE(0) ?? 0
    if (length < HEADER_LENGTH || length > FRAME_LENGTH_MAX)
      throw new RangeError(`a frame of ${length} bytes`)
    if (this.#receivedLength < length) return null
    const all = Buffer.concat(this.#received)
    this.#received = all.length > length ? [all.subarray(length)] : []
    this.#receivedLength -= length
    return all.subarray(0, length)
  }

  #dispatch(frame: Buffer): void {
    const program = frame.readUInt32BE(4)
    const procedure = frame.readUInt32BE(12)
    const type = frame.readUInt32BE(16)
    const body = new XdrReader(frame.subarray(HEADER_LENGTH))
    if (program === KEEPALIVE_PROGRAM) {
      if (procedure === KEEPALIVE_PING)
        this.#send(KEEPALIVE_PROGRAM, KEEPALIVE_PONG, TYPE.message, 0, Buffer.alloc(0))
      return
    }
    if (type === TYPE.message && program === REMOTE_PROGRAM) this.#onMessage(procedure, body)
    if (type !== TYPE.reply) return
    const serial = frame.readUInt32BE(20)
    const pending = this.#pending.get(serial)
    this.#pending.delete(serial)
    if (frame.readUInt32BE(24) === STATUS_OK) pending?.resolve(body)
    else pending?.reject(readError(body))
  }

  #end(why: string): void {
    if (this.#gone !== null) return
    const gone = new LibvirtGone(why)
    this.#gone = gone
    this.#socket.destroy()
    for (const pending of this.#pending.values()) pending.reject(gone)
    this.#pending.clear()
    this.#onGone(gone)
  }
}

/** remote_error starts with code, domain and message; the rest is not needed. */
function readError(body: XdrReader): LibvirtError {
  const code = body.int()
  const domain = body.int()
  return new LibvirtError(code, domain, body.optionalString() ?? `error ${code}`)
}

/** Calls `give up` once, at the deadline. Returns how to call it off. */
function onDeadline(deadline: Deadline, giveUp: (error: LibvirtTimeout) => void): () => void {
  const { signal, timeoutMs = signal === undefined ? DEFAULT_TIMEOUT_MS : undefined } = deadline
  const onAbort = () => end('libvirt has not answered before the call was ended')
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => end(`libvirt has not answered within ${timeoutMs} ms`), timeoutMs)
  const stop = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
  const end = (why: string) => {
    stop()
    giveUp(new LibvirtTimeout(why))
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted === true) queueMicrotask(onAbort)
  return stop
}
