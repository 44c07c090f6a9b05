/** @param key null: all of it */
export type Reader<V> = (key: string | null, value: V | undefined) => void

/**
 * A table as it will be: what has changed laid over the one of now, which stays. Making one costs nothing,
 * however large the table is, and it knows what is different in it.
 */
export class Overlay<V> extends Map<string, V> {
  readonly #base: ReadonlyMap<string, V>
  readonly #read: Reader<V> | undefined
  /** Null: it is gone. */
  readonly #over = new Map<string, V | null>()
  #more = 0

  /**
   * @param base must not change while this is in use
   * @param read hears of everything that is looked up
   */
  constructor(base: ReadonlyMap<string, V>, read?: Reader<V>) {
    super()
    this.#base = base
    this.#read = read
  }

  /** Keys that have been set or deleted. */
  get changed(): Iterable<string> {
    return this.#over.keys()
  }

  override get size(): number {
    return this.#base.size + this.#more
  }

  override get(key: string): V | undefined {
    const own = this.#over.get(key)
    const value = own === undefined ? this.#base.get(key) : (own ?? undefined)
    this.#read?.(key, value)
    return value
  }

  override has(key: string): boolean {
    this.#read?.(key, undefined)
    const own = this.#over.get(key)
    return own === undefined ? this.#base.has(key) : own !== null
  }

  override set(key: string, value: V): this {
    if (!this.has(key)) this.#more += 1
    this.#over.set(key, value)
    return this
  }

  override delete(key: string): boolean {
    if (!this.has(key)) return false
    this.#more -= 1
    this.#over.set(key, null)
    return true
  }

  override clear(): void {
    for (const key of [...this.keys()]) this.delete(key)
  }

  override *entries(): MapIterator<[string, V]> {
    this.#read?.(null, undefined)
    for (const entry of this.#base) if (!this.#over.has(entry[0])) yield entry
    for (const [key, value] of this.#over) if (value !== null) yield [key, value]
  }

  override *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key
  }

  override *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value
  }

  override [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries()
  }

  override forEach(visit: (value: V, key: string, map: Map<string, V>) => void, self?: unknown) {
    for (const [key, value] of this.entries()) visit.call(self, value, key, this)
  }
}
