import { LIMITS } from '../../schema/limits.ts'
import type { LogEntry, StatusItem } from '../../schema/session.ts'

/** How long a status that nobody decides on may wait for the next one. */
const PENDING_MS = 20
/** Log lines are for reading: they never stand in front of a report. */
const LOG_MS = 50

interface Send {
  status(items: StatusItem[]): void
  log(entries: LogEntry[]): void
}

/**
 * Gathers what can wait, so that the control plane has one turn with what matters instead of five:
 * pending statuses are sent with the status that ends them, log lines a moment later.
 */
export class Outbox {
  readonly #send: Send
  #pending = new Map<string, StatusItem>()
  #statusTimer: NodeJS.Timeout | null = null
  #lines: LogEntry[] = []
  #logTimer: NodeJS.Timeout | null = null

  constructor(send: Send) {
    this.#send = send
  }

  status(items: readonly StatusItem[]): void {
    for (const item of items) this.#pending.set(item.resourceId, item)
    if (items.some((item) => !isPending(item))) return this.flushStatus()
    if (items.length === 0) return
    this.#statusTimer ??= setTimeout(() => this.flushStatus(), PENDING_MS)
  }

  drop(resourceId: string): void {
    this.#pending.delete(resourceId)
  }

  flushStatus(): void {
    if (this.#statusTimer) clearTimeout(this.#statusTimer)
    this.#statusTimer = null
    const items = [...this.#pending.values()]
    this.#pending = new Map()
    for (let at = 0; at < items.length; at += LIMITS.statusItemsMax)
      this.#send.status(items.slice(at, at + LIMITS.statusItemsMax))
  }

  log(entries: readonly LogEntry[]): void {
    this.#lines.push(...entries)
    // A module that writes without end fills this and no more: the oldest lines go.
    if (this.#lines.length > LIMITS.logEntriesMax)
      this.#lines = this.#lines.slice(-LIMITS.logEntriesMax)
    this.#logTimer ??= setTimeout(() => {
      this.#logTimer = null
      const lines = this.#lines
      this.#lines = []
      this.#send.log(lines)
    }, LOG_MS)
  }
}

const isPending = (item: StatusItem) =>
  item.status === 'onlinePending' || item.status === 'offlinePending'
