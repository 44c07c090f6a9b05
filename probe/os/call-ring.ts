/**
 * The last hundred calls of a resource monitor, kept where they outlive it (S-32): a small file of fixed
 * slots in the run folder, which is memory. Each call is written before it is made and again when it
 * has ended, so that whoever finds the monitor dead or hanging can tell what it was doing.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { CALL_IDS_MAX, CALLS_KEPT, type LastCall, lastCall } from '../../schema/last-calls.ts'

const SLOTS = CALLS_KEPT
const SLOT_BYTES = 512
const NAME_MAX = 100
const ERROR_MAX = 100
/** So many are named in a line of the log. */
const NAMED_MAX = 4

export const ringPath = (runFolder: string, monitor: string): string =>
  join(runFolder, `calls-${monitor.replace(':', '-')}`)

export class CallRing {
  #fd: number | null = null
  #next = 0
  #slot = -1
  readonly #open = new Set<number>()
  readonly #line = Buffer.alloc(SLOT_BYTES)

  /** Begun anew: what the one before has left is read by then. */
  start(path: string): void {
    try {
      if (this.#fd !== null) closeSync(this.#fd)
      this.#fd = openSync(path, 'w', 0o600)
    } catch {
      // No room, no folder: calls are made all the same.
      this.#fd = null
    }
  }

  /** @returns to be called when it has ended */
  begin(
    type: string,
    fn: string,
    of: string,
    ids: readonly string[],
    atMs: number,
  ): (tookMs: number, error?: string) => void {
    const slot = this.#freeSlot()
    const few = ids.length <= CALL_IDS_MAX && { ids: [...ids] }
    const named = { type, fn, of: of.slice(0, NAME_MAX), ...few }
    const call: LastCall = { n: this.#next, ...named, atMs: Math.round(atMs) }
    this.#next += 1
    this.#open.add(slot)
    this.#write(slot, call)
    return (tookMs, error) => {
      this.#open.delete(slot)
      const said = error === undefined ? {} : { error: error.slice(0, ERROR_MAX) }
      this.#write(slot, { ...call, tookMs: Math.round(tookMs * 10) / 10, ...said })
    }
  }

  /** The oldest that has ended: what hangs is still to be seen a hundred calls later. */
  #freeSlot(): number {
    for (let step = 0; step < SLOTS; step += 1) {
      this.#slot = (this.#slot + 1) % SLOTS
      if (!this.#open.has(this.#slot)) return this.#slot
    }
    this.#slot = (this.#slot + 1) % SLOTS
    return this.#slot
  }

  #write(slot: number, call: LastCall): void {
    if (this.#fd === null) return
    const line = this.#line.fill(' ')
    const text = JSON.stringify(call)
    // One that does not fit, for its letters take more than one byte, is written without its words.
    const fits = Buffer.byteLength(text) < SLOT_BYTES
    line.write(fits ? text : JSON.stringify({ ...call, of: '', error: undefined }))
    line[SLOT_BYTES - 1] = 0x0a
    try {
      writeSync(this.#fd, line, 0, SLOT_BYTES, slot * SLOT_BYTES)
    } catch {
      // Full: an older call stays where it is.
    }
  }
}

/** Oldest first; none where there is no such file, and none that cannot be read. */
export function readRing(path: string): LastCall[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return []
  }
  const calls = text.split('\n').flatMap((line) => {
    try {
      return [lastCall.parse(JSON.parse(line))]
    } catch {
      return []
    }
  })
  return calls.sort((a, b) => a.n - b.n)
}

/** What had not ended, for the log; null: nothing. */
export function underWay(calls: readonly LastCall[], nowMs: number): string | null {
  const open = calls.filter((call) => call.tookMs === undefined)
  if (open.length === 0) return null
  const named = open.slice(0, NAMED_MAX).map(({ type, fn, of, atMs }) => {
    return `${fn} of ${type} ${of} for ${Math.max(0, Math.round(nowMs - atMs))} ms`
  })
  const more = open.length > NAMED_MAX ? ` and ${open.length - NAMED_MAX} more` : ''
  return `${named.join(', ')}${more}`
}
