/**
 * Breadth first with 64 bits for each state, for searches whose states do not fit into memory: no way to
 * a violation, no liveness. Two states of one fingerprint would hide one of them; the expected number
 * of such pairs is states² / 2⁶⁵, below 0.0001 for the largest configuration here.
 */
import type { Exploration } from './explore.ts'
import type { Model } from './model.ts'

const CHUNK = 1 << 16

export function exploreByFingerprint(model: Model, statesMax: number): Exploration {
  const seen = new Fingerprints()
  let frontier = new Frontier(model.size)
  let upcoming = new Frontier(model.size)
  let text: string | null = null
  let steps = 0
  const emit = (_label: string, next: Uint8Array) => {
    if (text !== null) return
    steps += 1
    if (!seen.add(next)) return
    text = model.broken(next)
    upcoming.push(next)
  }
  emit('', model.initial())
  while (upcoming.count > 0 && text === null && seen.count <= statesMax) {
    ;[frontier, upcoming] = [upcoming, frontier]
    upcoming.clear()
    for (let i = 0; i < frontier.count && text === null; i += 1) model.steps(frontier.get(i), emit)
  }
  const violation = text === null ? null : { text, trace: [] }
  const complete = violation === null && upcoming.count === 0
  return { states: seen.count, steps, complete, violation, stuck: null }
}

/** The whole states of one depth. Its memory is used again for the depth after the next. */
class Frontier {
  readonly #size: number
  readonly #chunks: Uint8Array[] = []
  count = 0

  constructor(size: number) {
    this.#size = size
  }

  clear(): void {
    this.count = 0
  }

  push(state: Uint8Array): void {
    if (this.count === this.#chunks.length * CHUNK)
      this.#chunks.push(new Uint8Array(CHUNK * this.#size))
    this.count += 1
    this.get(this.count - 1).set(state)
  }

  get(index: number): Uint8Array {
    const at = (index % CHUNK) * this.#size
    return (this.#chunks[Math.floor(index / CHUNK)] as Uint8Array).subarray(at, at + this.#size)
  }
}

class Fingerprints {
  #low = new Uint32Array(1 << 22)
  #high = new Uint32Array(1 << 22)
  count = 0

  /** False when it was there. */
  add(state: Uint8Array): boolean {
    const [low, high] = fingerprint(state)
    if (!this.#put(low, high)) return false
    this.count += 1
    if (this.count * 1.5 > this.#low.length) this.#grow()
    return true
  }

  /** A slot whose high half is 0 is empty. */
  #put(low: number, high: number): boolean {
    const mask = this.#low.length - 1
    let slot = low & mask
    while (this.#high[slot] !== 0) {
      if (this.#high[slot] === high && this.#low[slot] === low) return false
      slot = (slot + 1) & mask
    }
    this.#low[slot] = low
    this.#high[slot] = high
    return true
  }

  #grow(): void {
    const [low, high] = [this.#low, this.#high]
    this.#low = new Uint32Array(low.length * 2)
    this.#high = new Uint32Array(low.length * 2)
    for (let i = 0; i < low.length; i += 1)
      if (high[i] !== 0) this.#put(low[i] as number, high[i] as number)
  }
}

const pair: [number, number] = [0, 0]

/** Two independent mixes of 32 bits; the pair is used again by the next call. */
function fingerprint(state: Uint8Array): readonly [number, number] {
  let a = 0x9747b28c | 0
  let b = 0x3c6ef372 | 0
  for (let i = 0; i < state.length; i += 1) {
    const byte = state[i] as number
    a = Math.imul(a ^ byte, 0x5bd1e995)
    a ^= a >>> 15
    b = Math.imul(b + byte + 1, 0x2c1b3c6d)
    b ^= b >>> 13
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b)
  a = Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  a ^= a >>> 16
  b = Math.imul(b ^ (b >>> 16), 0x7feb352d)
  b = Math.imul(b ^ (b >>> 15), 0x846ca68b)
  b ^= b >>> 16
  pair[0] = a >>> 0
  pair[1] = b >>> 0 || 1
  return pair
}
