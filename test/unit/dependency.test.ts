import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hasNeeded, neededFields, needsText, parseNeeds } from '../../schema/dependency.ts'

const read = (text: string) => {
  const parsed = parseNeeds(text)
  if ('problem' in parsed) throw new Error(`${parsed.at}: ${parsed.problem}`)
  return parsed.needs
}
const problem = (text: string) => {
  const parsed = parseNeeds(text)
  return 'problem' in parsed ? `${parsed.at}: ${parsed.problem}` : null
}

describe('S-93: expressions of dependencies', () => {
  test.each([
    ['', []],
    ['a', [['a']]],
    ['a,b', [['a'], ['b']]],
    ['a and b', [['a'], ['b']]],
    ['a or b', [['a', 'b']]],
    ['([a] or [b]) and [c]', [['a', 'b'], ['c']]],
    [
      '(a AND b) OR c',
      [
        ['a', 'c'],
        ['b', 'c'],
      ],
    ],
    ['((a))', [['a']]],
    ['a and (a or b)', [['a']]],
    ['[or] or and-1', [['or', 'and-1']]],
  ])('%s', (text, needs) => {
    expect(read(text)).toEqual(needs)
  })

  test.each([
    [
      'a and b or c',
      '8: put parentheses around what belongs together: "and" and "or" are in one row',
    ],
    ['a, b or c', '5: put parentheses around what belongs together: "and" and "or" are in one row'],
    ['(a or b', '7: it ends where a closing parenthesis is expected'],
    ['a or', '4: it ends where the name of a resource is expected'],
    ['a b', '2: there is "b" where and, or, or the end is expected'],
    ['a or ) b', '5: there is ")" where the name of a resource is expected'],
    ['a; b', '1: ";" has no meaning here'],
    [`${'('.repeat(40)}a`, '32: too many parentheses'],
  ])('%s is refused with the place of the mistake', (text, said) => {
    expect(problem(text)).toBe(said)
  })

  test('one that would be endless lists is refused', () => {
    const pairs = Array.from({ length: 12 }, (_, n) => `(a${n} and b${n})`)
    expect(problem(pairs.join(' or '))).toMatch(/too long once it is taken apart/)
  })

  test('a plain list is kept as it always was', () => {
    expect(neededFields(read('a,b'))).toEqual({ dependsOn: ['a', 'b'] })
    expect(neededFields(read('(a or b) and a'))).toEqual({ dependsOn: ['a'] })
    expect(neededFields(read('(a or b) and c'))).toEqual({
      dependsOn: ['a', 'b', 'c'],
      anyOf: [['a', 'b'], ['c']],
    })
  })

  test('means what the expression means, and reads back from its own text', () => {
    const names = ['a', 'b', 'c', 'd', 'or']
    type Tree = string | { op: 'and' | 'or'; of: [Tree, Tree] }
    const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom(...names),
        fc.record({
          op: fc.constantFrom('and' as const, 'or' as const),
          of: fc.tuple(tie('tree'), tie('tree')),
        }),
      ),
    }))
    const text = (t: Tree): string =>
      typeof t === 'string' ? `[${t}]` : `(${text(t.of[0])} ${t.op} ${text(t.of[1])})`
    const holds = (t: Tree, up: ReadonlySet<string>): boolean => {
      if (typeof t === 'string') return up.has(t)
      const [one, other] = [holds(t.of[0], up), holds(t.of[1], up)]
      return t.op === 'and' ? one && other : one || other
    }
    fc.assert(
      fc.property(tree, fc.subarray(names), (t, list) => {
        const parsed = parseNeeds(text(t))
        if ('problem' in parsed) return /too long/.test(parsed.problem)
        const up = new Set(list)
        const isUp = (name: string) => up.has(name)
        expect(hasNeeded(neededFields(parsed.needs), isUp)).toBe(holds(t, up))
        expect(read(needsText(parsed.needs))).toEqual(parsed.needs)
        return true
      }),
    )
  })
})
