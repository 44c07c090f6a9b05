/** Words of a line: bare ones in order, and `key=value` ones by key. */
export class Words {
  readonly bare: string[]
  readonly #keyed = new Map<string, string>()

  constructor(words: readonly string[]) {
    this.bare = words.filter((word) => !/^[a-zA-Z]+=/.test(word))
    for (const word of words) {
      const found = /^([a-zA-Z]+)=(.*)$/.exec(word)
      if (found) this.#keyed.set(found[1] as string, found[2] as string)
    }
  }

  at(i: number): string {
    const word = this.bare[i]
    if (word === undefined) throw new Error(`word ${i + 1} is missing`)
    return word
  }

  get(key: string): string | undefined {
    return this.#keyed.get(key)
  }

  list(key: string): string[] | undefined {
    return this.#keyed
      .get(key)
      ?.split(',')
      .filter((word) => word !== '')
  }

  number(key: string, otherwise: number): number {
    return Number(this.#keyed.get(key) ?? otherwise)
  }

  has(word: string): boolean {
    return this.bare.includes(word)
  }
}

export function duration(text: string): number {
  const found = /^([0-9.]+)(ms|s|m|h)$/.exec(text)
  if (!found) throw new Error(`not a duration: ${text}`)
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[found[2] as 'ms' | 's' | 'm' | 'h']
  return Math.round(Number(found[1]) * unit)
}
