/** External data representation (RFC 4506), as far as libvirt's remote protocol uses it. */

/** Longest string libvirt sends or takes (REMOTE_STRING_MAX). */
const STRING_LENGTH_MAX = 4 * 1024 * 1024

export class XdrWriter {
  readonly #parts: Buffer[] = []

  int(value: number): this {
    const part = Buffer.allocUnsafe(4)
    part.writeInt32BE(value | 0)
    this.#parts.push(part)
    return this
  }

  /** A string that may be absent. */
  optionalString(value: string | null): this {
    return value === null ? this.int(0) : this.int(1).string(value)
  }

  string(value: string): this {
    const bytes = Buffer.from(value, 'utf8')
    this.int(bytes.length)
    this.#parts.push(bytes, PADDING.subarray(0, padding(bytes.length)))
    return this
  }

  /** Bytes of a length that both sides know. */
  opaque(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes), PADDING.subarray(0, padding(bytes.length)))
    return this
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** @throws {RangeError} the data ends early, or a length is absurd */
export class XdrReader {
  readonly #data: Buffer
  #at = 0

  constructor(data: Buffer) {
    this.#data = data
  }

  int(): number {
    const value = this.#data.readInt32BE(this.#at)
    this.#at += 4
    return value
  }

  unsigned(): number {
    return this.int() >>> 0
  }

  hyper(): bigint {
    const value = this.#data.readBigUInt64BE(this.#at)
    this.#at += 8
    return value
  }

  optionalString(): string | null {
    return this.int() === 0 ? null : this.string()
  }

  string(): string {
    const length = this.unsigned()
    if (length > STRING_LENGTH_MAX) throw new RangeError(`a string of ${length} bytes`)
    return this.opaque(length).toString('utf8')
  }

  opaque(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#data.length) throw new RangeError('the message ends early')
    const bytes = this.#data.subarray(this.#at, end)
    this.#at = end + padding(length)
    return bytes
  }
}

const PADDING = Buffer.alloc(3)

function padding(length: number): number {
  return (4 - (length % 4)) % 4
}
