/**
 * One connection to the bus that systemd is on, made when it is first needed and made anew after it
 * was lost. The library is loaded with it: a monitor without a unit does not pay for it.
 */
import type { Message, MessageBus } from 'dbus-native'
import { SYSTEMD } from '../os/unit-starts.ts'

/** systemd cannot be asked: that says nothing of what it runs. */
export class SystemdGone extends Error {
  constructor(why: string) {
    super(`systemd cannot be asked: ${why}`)
    this.name = 'SystemdGone'
  }
}

/** systemd has answered, and said no. */
export class SystemdRefuses extends Error {
  /** Such as `org.freedesktop.systemd1.NoSuchUnit`. */
  readonly error: string
  constructor(error: string, message: string) {
    super(message)
    this.name = 'SystemdRefuses'
    this.error = error
  }
}

export interface Ask {
  readonly path: string
  readonly interface: string
  readonly member: string
  readonly signature?: string
  readonly body?: readonly unknown[]
}

export interface Limits {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface Signal {
  readonly path: string
  readonly member: string
  readonly body: readonly unknown[]
}

const ANSWER_MS = 2_000
/** Errors of the bus itself: whom it should go to is not there, or does not answer. */
const NOBODY =
  /^org\.freedesktop\.DBus\.Error\.(?:NoReply|Timeout|TimedOut|Disconnected|NoServer|ServiceUnknown|NameHasNoOwner)$/

export class Bus {
  readonly #address: string
  readonly #onSignal: (signal: Signal) => void
  #bus: Promise<MessageBus> | null = null
  #client: MessageBus | null = null

  /** @param onSignal whatever a rule of `match` lets through, in the order of the bus */
  constructor(address: string, onSignal: (signal: Signal) => void) {
    this.#address = address
    this.#onSignal = onSignal
  }

  /** Whether calls go out by a connection that stands already. */
  get connected(): boolean {
    return this.#bus !== null
  }

  /**
   * Asks systemd.
   *
   * @returns what it answers: one value as it is, none as undefined, several as an array
   * @throws {SystemdGone} no answer, for whatever reason
   * @throws {SystemdRefuses}
   */
  call(ask: Ask, limits: Limits = {}): Promise<unknown> {
    return this.#invoke({ destination: SYSTEMD, ...ask, body: [...(ask.body ?? [])] }, limits)
  }

  /** Has the bus deliver signals, or no more. Rules are gone with their connection. */
  async match(member: 'AddMatch' | 'RemoveMatch', rule: string): Promise<void> {
    const [path, iface] = ['/org/freedesktop/DBus', 'org.freedesktop.DBus']
    const ask = { path, interface: iface, destination: iface, member }
    await this.#invoke({ ...ask, signature: 's', body: [rule] }, {})
  }

  close(): void {
    const bus = this.#bus
    this.#bus = null
    this.#client = null
    void bus?.then(
      (one) => one.close(),
      () => {},
    )
  }

  async #invoke(message: Message, { timeoutMs = ANSWER_MS, signal }: Limits): Promise<unknown> {
    signal?.throwIfAborted()
    this.#bus ??= this.#connect()
    try {
      const bus = await this.#bus
      return await bus.invoke(message, { timeout: timeoutMs, ...(signal && { signal }) })
    } catch (error) {
      signal?.throwIfAborted()
      const { dbusName = '', message: text } = error as { dbusName?: string; message: string }
      if (dbusName === '' || NOBODY.test(dbusName)) throw new SystemdGone(text)
      throw new SystemdRefuses(dbusName, text)
    }
  }

  async #connect(): Promise<MessageBus> {
    const { createClient } = await import('dbus-native')
    const bus = createClient({ busAddress: this.#address })
    const { connection } = bus
    // What is under way is told by its own call; the next one connects anew.
    connection.on('error', () => {})
    connection.on('handlerError', (error: Error) => process.emitWarning(error))
    this.#client = bus
    const lost = () => {
      // A later connection is not lost with an earlier one.
      if (this.#client !== bus) return
      this.#client = null
      this.#bus = null
    }
    for (const end of ['end', 'close'] as const) connection.on(end, lost)
    connection.on('message', ({ type, path, member, body }: Message) => {
      if (type === SIGNAL && path && member) this.#onSignal({ path, member, body: body ?? [] })
    })
    return bus
  }
}

const SIGNAL = 4
