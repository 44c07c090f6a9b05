/**
 * Names for the bytes of a state. `record(['owner', 'epoch'])` gives objects that read and write two
 * bytes in place: a model reads like one of objects, and a state stays a row of bytes to hash.
 */
export type Fields<Name extends string> = Record<Name, number>

export interface RecordType<Name extends string> {
  readonly size: number
  readonly on: (bytes: Uint8Array, at: number) => Fields<Name>
}

export function record<const Name extends string>(names: readonly Name[]): RecordType<Name> {
  class View {
    readonly bytes: Uint8Array
    readonly at: number
    constructor(bytes: Uint8Array, at: number) {
      this.bytes = bytes
      this.at = at
    }
  }
  names.forEach((name, index) => {
    Object.defineProperty(View.prototype, name, {
      get(this: View) {
        return this.bytes[this.at + index]
      },
      set(this: View, value: number) {
        this.bytes[this.at + index] = value
      },
    })
  })
  const on = (bytes: Uint8Array, at: number) => new View(bytes, at) as unknown as Fields<Name>
  return { size: names.length, on }
}

/** The element that is there by construction: the models have fixed numbers of nodes and groups. */
export function at<T>(list: readonly T[], index: number): T {
  return list[index] as T
}

export function range<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

const ONES = new Uint8Array(65_536)
for (let i = 1; i < ONES.length; i += 1) ONES[i] = (ONES[i >> 1] as number) + (i & 1)

/** How many members a set (a mask of bits) has. */
export const members = (mask: number): number => ONES[mask] as number

export const has = (mask: number, member: number): boolean => ((mask >> member) & 1) === 1

/**
 * Order-preserving renaming. `used` is the set of numbers in use (0 means "none" and stays 0); the
 * smallest becomes 1, the next 2, and so on. Sessions, epochs and boots only ever are compared, so a
 * finite number of names stands for any number of them.
 */
export const renamed = (used: number, x: number): number =>
  x === 0 ? 0 : members(used & ((1 << x) - 1)) + 1

/** Whether renaming would change anything: some number in use has an unused one below it. */
export const hasGaps = (used: number): boolean => (used & (used + 2)) !== 0
