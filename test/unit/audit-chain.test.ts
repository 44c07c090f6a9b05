/** The chain of an audit log: whatever is changed in an export is found, and where. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { verifyExport } from '../../cli/audit-file.ts'
import { type AuditEntry, type AuditLine, CHAIN_START, sealed } from '../../schema/api/audit.ts'

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

const entryParts = fc.record({
  name: fc.string({ maxLength: 8 }),
  before: fc.jsonValue({ maxDepth: 2 }),
  refused: fc.constantFrom(null, 'FORBIDDEN'),
  atMs: fc.nat(),
})
type Parts = typeof entryParts extends fc.Arbitrary<infer T> ? T : never

function chainOf(all: readonly Parts[]): AuditLine[] {
  const lines: AuditLine[] = []
  for (const { name, before, refused, atMs } of all) {
    const last = lines.at(-1) ?? CHAIN_START
    const entry: AuditEntry = {
      ...{ chain: 'c1', n: last.n + 1, prev: last.hash, atMs, request: 'r1', from: null },
      ...{ who: { kind: 'key', id: 'k1', name }, route: 'changeGroup', action: 'changeGroup' },
      ...{ about: { kind: 'group', id: 'g1', name }, asked: { name }, refused },
      changes: [{ table: 'group', id: 'g1', name, before: before as never, after: null }],
      ...{ continues: false, furtherLeftOut: false },
    }
    lines.push(sealed(JSON.parse(JSON.stringify(entry)), hashOf))
  }
  return lines
}

/** @param from the first entry that is in it: those before were removed */
function exported(lines: readonly AuditLine[], from = 1): string[] {
  const place = (one: { n: number; hash: string } | undefined) => ({
    ...{ n: one?.n ?? 0, hash: one?.hash ?? CHAIN_START.hash },
  })
  const [base, head] = [place(lines[from - 2]), place(lines.at(-1))]
  const header = { format: 'holdfast-audit-1', chain: 'c1', base, head }
  return [header, ...lines.slice(from - 1)].map((one) => JSON.stringify(one))
}

const textOf = (lines: readonly string[]) => lines.map((one) => `${one}\n`).join('')

const chains = fc.array(entryParts, { minLength: 1, maxLength: 8 }).map(chainOf)

describe('as it was written', () => {
  test('it is unbroken, also where its beginning was removed, and with a head that was noted', () => {
    fc.assert(
      fc.property(chains, fc.nat(), fc.nat(), (lines, a, b) => {
        const from = (a % (lines.length + 1)) + 1
        const noted = (from === 1 ? [] : [lines[from - 2]]).concat(lines.slice(from - 1))
        const known = noted[b % noted.length]?.hash
        const last = lines.at(-1) as AuditLine
        const verdict = verifyExport(textOf(exported(lines, from)), known)
        expect(verdict).toEqual({
          ...{ fault: null, chain: 'c1', head: { n: last.n, hash: last.hash } },
          base: { n: from - 1, hash: lines[from - 2]?.hash ?? CHAIN_START.hash },
        })
      }),
    )
  })

  test('a log that nothing was ever written to', () => {
    expect(verifyExport(textOf(exported([])))).toMatchObject({ fault: null, head: { n: 0 } })
  })
})

/** @returns the number of the entry that is found at fault */
const faultIn = (text: string, known?: string) => verifyExport(text, known).fault?.n ?? null

describe('any single change is found', () => {
  test('one character, anywhere: replaced, removed or put in', () => {
    fc.assert(
      fc.property(
        chains,
        fc.nat(),
        fc.constantFrom('replace', 'remove', 'insert'),
        fc.string({ minLength: 1, maxLength: 1, unit: 'binary-ascii' }),
        (lines, at, how, char) => {
          const text = textOf(exported(lines))
          const place = at % text.length
          const rest = text.slice(how === 'insert' ? place : place + 1)
          const changed = text.slice(0, place) + (how === 'remove' ? '' : char) + rest
          fc.pre(changed !== text)
          expect(faultIn(changed)).not.toBeNull()
        },
      ),
      { numRuns: 2_000 },
    )
  })

  test('the first broken entry is named', () => {
    fc.assert(
      fc.property(chains, fc.nat(), (lines, at) => {
        const n = (at % lines.length) + 1
        const all = exported(lines)
        const entry = JSON.parse(all[n] as string) as AuditLine
        all[n] = JSON.stringify({ ...entry, who: { ...entry.who, name: `${entry.who.name}x` } })
        expect(faultIn(textOf(all))).toBe(n)
      }),
    )
  })

  test('entries that were removed: at the beginning, in between, at the end', () => {
    fc.assert(
      fc.property(chains, fc.nat(), fc.nat(), (lines, a, b) => {
        const first = a % lines.length
        const count = (b % (lines.length - first)) + 1
        const all = exported(lines)
        all.splice(1 + first, count)
        const found = faultIn(textOf(all))
        // Of an end that was cut the header tells; the next one that is there is what does not fit.
        expect(found).toBe(first + count === lines.length ? first + 1 : first + count + 1)
      }),
    )
  })

  test('two that have changed places, and one that is there twice', () => {
    fc.assert(
      fc.property(chains, fc.nat(), fc.nat(), (lines, a, b) => {
        const [i, j] = [1 + (a % lines.length), 1 + (b % lines.length)]
        const all = exported(lines)
        const twice = all.toSpliced(i, 0, all[i] as string)
        expect(faultIn(textOf(twice))).not.toBeNull()
        fc.pre(i !== j)
        const [one, other] = [all[i] as string, all[j] as string]
        all[i] = other
        all[j] = one
        expect(faultIn(textOf(all))).toBe(Math.max(i, j))
      }),
    )
  })

  test('an end that was cut, header and all, is found by a head that was noted', () => {
    fc.assert(
      fc.property(chains, fc.nat(), (lines, a) => {
        const kept = lines.slice(0, a % lines.length)
        const noted = lines.at(-1)?.hash
        expect(faultIn(textOf(exported(kept)))).toBeNull()
        expect(faultIn(textOf(exported(kept)), noted)).toBe(kept.length + 1)
      }),
    )
  })

  test('all of it written anew, with hashes that fit, is found by a head that was noted', () => {
    const parts = (name: string): Parts => ({ name, before: null, refused: null, atMs: 1 })
    const [real, forged] = [chainOf([parts('ana'), parts('ben')]), chainOf([parts('eve')])]
    expect(faultIn(textOf(exported(forged)))).toBeNull()
    expect(faultIn(textOf(exported(forged)), real.at(-1)?.hash)).toBe(2)
  })

  test.each([
    ['nothing', '', 0],
    ['no export', '{"groups":[]}\n', 0],
    ['no end of line', textOf(exported([])).trimEnd(), 1],
  ])('%s', (_, text, n) => {
    expect(faultIn(text)).toBe(n)
  })
})
