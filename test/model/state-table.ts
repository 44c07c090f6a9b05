/** Every state seen so far, in the order found, each with the state it was first reached from. */
const CHUNK = 1 << 16

export class StateTable {
  readonly #size: number
  readonly #chunks: Uint8Array[] = []
  #slots: Int32Array
  #parents = new Int32Array(CHUNK)
  #count = 0

  constructor(size: number) {
    this.#size = size
    this.#slots = new Int32Array(1 << 16).fill(-1)
  }

  get count(): number {
    return this.#count
  }

  /** The bytes of a state: a window on the table, not a copy. */
  get(index: number): Uint8Array {
    const at = (index % CHUNK) * this.#size
    return (this.#chunks[Math.floor(index / CHUNK)] as Uint8Array).subarray(at, at + this.#size)
  }

  parent(index: number): number {
    return this.#parents[index] as number
  }

  /** The index of this state. A new one is the last: `index === count - 1` after `count` grew. */
  add(state: Uint8Array, parent: number): number {
    const slot = this.#slotOf(state)
    const known = this.#slots[slot] as number
    if (known >= 0) return known
    const index = this.#count
    if (index % CHUNK === 0) this.#chunks.push(new Uint8Array(CHUNK * this.#size))
    this.get(index).set(state)
    if (index >= this.#parents.length) this.#parents = grown(this.#parents)
    this.#parents[index] = parent
    this.#slots[slot] = index
    this.#count = index + 1
    if (this.#count * 2 > this.#slots.length) this.#rehash()
    return index
  }

  #slotOf(state: Uint8Array): number {
    const mask = this.#slots.length - 1
    let slot = hash(state) & mask
    for (;;) {
      const index = this.#slots[slot] as number
      if (index < 0 || this.#same(index, state)) return slot
      slot = (slot + 1) & mask
    }
  }

  #same(index: number, state: Uint8Array): boolean {
    const chunk = this.#chunks[Math.floor(index / CHUNK)] as Uint8Array
    const at = (index % CHUNK) * this.#size
    for (let i = 0; i < this.#size; i += 1) if (chunk[at + i] !== state[i]) return false
    return true
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1)
    const mask = slots.length - 1
    for (let index = 0; index < this.#count; index += 1) {
      let slot = hash(this.get(index)) & mask
      while ((slots[slot] as number) >= 0) slot = (slot + 1) & mask
      slots[slot] = index
    }
    this.#slots = slots
  }
}

/** Twice as long, with the same beginning. */
export function grown(list: Int32Array): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(list.length * 2)
  longer.set(list)
  return longer
}

/** FNV-1a with a final mix. */
function hash(state: Uint8Array): number {
  let h = 0x811c9dc5
  for (let i = 0; i < state.length; i += 1) h = Math.imul(h ^ (state[i] as number), 0x01000193)
  h ^= h >>> 15
  h = Math.imul(h, 0x2c1b3c6d)
  h ^= h >>> 13
  return h >>> 0
}
