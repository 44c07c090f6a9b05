import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { LIMITS } from '../../schema/limits.ts'
import { type LocalIntent, localIntent, type StatusItem } from '../../schema/session.ts'
import type { Override } from '../core/duties.ts'
import { writeDurably } from '../host/durable.ts'

/** A file that could not be written is tried again this often. */
const RETRY_MS = 1_000

/**
 * Deliberate stops made on this host that the hive does not have yet (S-68). They outlive agent,
 * guard and boot, and override the replica: what an operator has stopped here is not started again
 * because the control plane could not be told.
 */
export class LocalStops {
  readonly #path: string
  readonly #intents = new Map<string, LocalIntent>()
  /** What an operator has asked for and is not done yet, whatever the hive has heard of it. */
  readonly #orders = new Map<string, Override>()
  /** Seen to have happened by an agent that knows nothing of the hive yet. */
  #waiting: StatusItem[] = []
  #retry: NodeJS.Timeout | null = null

  constructor(folder: string) {
    this.#path = join(folder, 'local-stops.json')
    for (const intent of read(this.#path)) this.#intents.set(intent.resourceId, intent)
  }

  get all(): readonly LocalIntent[] {
    return [...this.#intents.values()]
  }

  /** As many as one report takes, the newest first; the others are told one by one after it. */
  get forReport(): readonly LocalIntent[] {
    const found: LocalIntent[] = []
    let bytes = 0
    for (const intent of [...this.#intents.values()].reverse()) {
      bytes += JSON.stringify(intent).length
      if (found.length >= LIMITS.intentsMax || bytes > LIMITS.intentsBytesMax) break
      found.push(intent)
    }
    return found
  }

  /** What the duties of this host are to be derived with, besides the replica. */
  get overrides(): ReadonlyMap<string, Override> {
    const intents = this.all.map(({ resourceId, epoch, knownSeq }): [string, Override] => [
      resourceId,
      { epoch, how: 'stop', knownSeq },
    ])
    return new Map([...intents, ...this.#orders])
  }

  /** Until the replica is there: RHS goes on saying so to every agent, so that no file is needed. */
  wait(item: StatusItem): void {
    this.#waiting.push(item)
  }

  /** What waited, as far as it is still so. */
  waited(statuses: ReadonlyMap<string, StatusItem>): readonly StatusItem[] {
    const waited = this.#waiting
    this.#waiting = []
    return waited.filter((item) => statuses.get(item.resourceId) === item)
  }

  has(resourceId: string, epoch: number): boolean {
    return this.#intents.get(resourceId)?.epoch === epoch
  }

  /** Seen to have happened: kept in memory even while it cannot be written. */
  note(intent: LocalIntent): void {
    this.#intents.set(intent.resourceId, intent)
    this.#writeOrRetry()
  }

  /**
   * Asked for: durable before anything is done about it.
   *
   * @throws {Error} it cannot be written; nothing has changed
   */
  ask(intent: LocalIntent): void {
    const before = this.#intents.get(intent.resourceId)
    this.#intents.set(intent.resourceId, intent)
    try {
      this.#write()
    } catch (error) {
      if (before) this.#intents.set(intent.resourceId, before)
      else this.#intents.delete(intent.resourceId)
      throw error
    }
  }

  /** To be done now, in this run of the agent; until `done`. */
  order(resourceId: string, order: Override): void {
    this.#orders.set(resourceId, order)
  }

  done(resourceId: string): void {
    this.#orders.delete(resourceId)
  }

  /** The hive has them, or has decided otherwise: from now on its word counts. */
  settle(intents: readonly LocalIntent[]): void {
    const known = intents.filter((i) => this.has(i.resourceId, i.epoch))
    if (known.length === 0) return
    for (const { resourceId } of known) this.#intents.delete(resourceId)
    this.#writeOrRetry()
  }

  #writeOrRetry(): void {
    try {
      this.#write()
    } catch (error) {
      if (this.#retry) return
      process.stderr.write(`holdfast agent: a local stop cannot be written: ${error}\n`)
      this.#retry = setTimeout(() => {
        this.#retry = null
        this.#writeOrRetry()
      }, RETRY_MS)
    }
  }

  /** It has to outlive a power cut too. */
  #write(): void {
    writeDurably(this.#path, JSON.stringify(this.all))
  }
}

function read(path: string): LocalIntent[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return []
  }
  try {
    return z.array(localIntent).parse(JSON.parse(text))
  } catch (error) {
    process.stderr.write(`holdfast agent: ${path} is damaged and is not used: ${error}\n`)
    return []
  }
}
