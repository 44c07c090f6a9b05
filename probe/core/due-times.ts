/** Times by name, the earliest first: a heap in which outdated entries stay until they come up. */
interface Entry {
  readonly name: string
  readonly atMs: number
}

export class DueTimes {
  readonly #now = new Map<string, number>()
  readonly #heap: Entry[] = []

  /** @param atMs null: nothing is due for it any more */
  set(name: string, atMs: number | null): void {
    if (this.#now.get(name) === atMs) return
    if (atMs === null) {
      this.#now.delete(name)
      return
    }
    this.#now.set(name, atMs)
    push(this.#heap, { name, atMs })
  }

  /** The earliest, or null. */
  get next(): number | null {
    this.#dropOutdated()
    return this.#heap[0]?.atMs ?? null
  }

  /** @returns the names of all that is due; nothing is due for them any more */
  take(nowMs: number): Set<string> {
    const names = new Set<string>()
    for (;;) {
      this.#dropOutdated()
      const first = this.#heap[0]
      if (!first || first.atMs > nowMs) return names
      pop(this.#heap)
      this.#now.delete(first.name)
      names.add(first.name)
    }
  }

  #dropOutdated(): void {
    for (let first = this.#heap[0]; first; first = this.#heap[0]) {
      if (this.#now.get(first.name) === first.atMs) return
      pop(this.#heap)
    }
  }
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.push(entry) - 1
  for (; at > 0; ) {
    const up = (at - 1) >> 1
    const parent = heap[up] as Entry
    if (parent.atMs <= entry.atMs) break
    heap[at] = parent
    at = up
  }
  heap[at] = entry
}

function pop(heap: Entry[]): void {
  const last = heap.pop()
  if (!last || heap.length === 0) return
  let at = 0
  for (;;) {
    let down = 2 * at + 1
    if (down >= heap.length) break
    if ((heap[down + 1]?.atMs ?? Number.POSITIVE_INFINITY) < (heap[down] as Entry).atMs) down += 1
    const child = heap[down] as Entry
    if (child.atMs >= last.atMs) break
    heap[at] = child
    at = down
  }
  heap[at] = last
}
