/** What no compiler and no linter holds. Each checker is shown to find a bad sample first. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { badNames, impurities, places, promises, silentSkips } from './tidy/find.ts'
import { splitSource } from './tidy/source-text.ts'
import { ROOT, readTexts, repositoryFiles, type TextFile } from './tidy/tracked-files.ts'

const sample = (text: string): TextFile => ({ path: 'sample.ts', text })
const isSource = (path: string) => /\.(?:ts|js|mjs|cjs)$/.test(path)

it('sees the repository at all', () => {
  expect(repositoryFiles()).toContain('test/tidy.test.ts')
  expect(readTexts(isSource).length).toBeGreaterThan(40)
})

it('tells code from comments, strings, templates and regular expressions', () => {
  const open = '${'
  const { code, pieces } = splitSource(
    `a // one\nb('two', \`three ${open}c({ d: \`four\` })} five\`, /'six\\/'/, e / f) /* 'seven' */ g`,
  )
  expect(code.replace(/\s+/g, ' ')).toBe('a b( , c({ d: }) , , e / f) g')
  expect(pieces.map((piece) => piece.text)).toEqual([
    '// one',
    "'two'",
    `\`three ${open}`,
    '`four`',
    '} five`',
    "/* 'seven' */",
  ])
})

describe('core folders are pure', () => {
  it.each([
    'const a = Date.now()',
    'const a = new Date(0)',
    'const a = Math.random()',
    'const a = performance.now()',
    'setTimeout(() => {}, 1)',
    'async function a() {}',
    'const a = Promise.resolve()',
    "const a = process.env['A']",
    "import { a } from 'node:fs'",
    "import { a } from 'hono'",
    'fetch(a)',
    'console.log(a)',
    'const a = crypto.randomUUID()',
    'a.sort((x, y) => x.localeCompare(y))',
  ])('bites: %s', (line) => {
    expect(impurities(sample(line))).toHaveLength(1)
  })

  it('does not bite words', () => {
    const fine =
      "// Date.now, await\nimport { a } from '../b.ts'\nconst process = { type: 'process', nowMs }\nconst x = y.process\n"
    expect(impurities(sample(fine))).toEqual([])
  })

  it('holds', () => {
    const files = readTexts((path) => /^(?:worker|probe)\/core\/.*\.ts$/.test(path))
    expect(files.length).toBeGreaterThan(10)
    expect(files.flatMap(impurities)).toEqual([])
  })
})

describe('management extensions are pure', () => {
  it('holds', () => {
    const files = readTexts((path) => /^extensions\/.*\.ts$/.test(path))
    expect(files.length).toBeGreaterThan(5)
    const found = files.flatMap(impurities)
    expect(found.filter((one) => !/import of '(?:zod|fast-xml-parser)/.test(one))).toEqual([])
  })
})

describe('schema does no I/O', () => {
  it('holds, but for the client of the API', () => {
    const files = readTexts((path) => /^schema\/.*\.ts$/.test(path) && !path.endsWith('client.ts'))
    // An interface may promise; a library of checks and tables is what the contract is made of.
    const allowed =
      /something to wait for|import of '(?:zod|drizzle-orm)|^schema\/time-zone\.ts:\d+: a locale/
    const found = files.flatMap(impurities).filter((one) => !allowed.test(one))
    expect(found).toEqual([])
  })
})

describe('the command line runs within any process', () => {
  it('holds: streams, environment and working directory are its surroundings', () => {
    const files = readTexts(
      (path) => /^cli\/.*\.ts$/.test(path) && !/^cli\/(?:main|surroundings)\.ts$/.test(path),
    )
    expect(files.length).toBeGreaterThan(50)
    const own = /\bprocess\.(?:std|env|cwd|chdir|exit|argv|on|once|off|emit)|readFileSync\(0/
    expect(files.filter(({ text }) => own.test(text)).map(({ path }) => path)).toEqual([])
  })
})

describe('files and functions are short', () => {
  /** What the linter, set up as it is, says of a file with this text. */
  const rules = (text: string) => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-tidy-'))
    cpSync(join(ROOT, 'biome.json'), join(folder, 'biome.json'))
    cpSync(join(ROOT, '.gitignore'), join(folder, '.gitignore'))
    writeFileSync(join(folder, 'sample.ts'), text)
    const biome = join(ROOT, 'node_modules/.bin/biome')
    const run = spawnSync(biome, ['lint'], { cwd: folder, encoding: 'utf8' })
    rmSync(folder, { recursive: true })
    return run.stdout + run.stderr
  }
  const lines = (count: number) => Array.from({ length: count }, (_, i) => `  a(${i})`).join('\n')

  it('bites a function of more than 70 lines', () => {
    expect(rules(`export function f() {\n${lines(75)}\n}\n`)).toContain('ExcessiveLinesPerFunction')
    expect(rules(`export function f() {\n${lines(60)}\n}\n`)).not.toContain('ExcessiveLines')
  })

  it('bites a file of more than 400 lines', () => {
    expect(rules(`${lines(410)}\n`)).toContain('ExcessiveLinesPerFile')
  })

  it('bites the named import of zod and a promise that nobody waits for', () => {
    expect(rules("import { z } from 'zod'\nexport const a = z.string()\n")).toContain(
      'noRestrictedImports',
    )
    expect(rules('async function f() {}\nf()\n')).toContain('noFloatingPromises')
  })

  it('no comment turns these off', () => {
    const off = /biome-ignore[^\n]*(?:ExcessiveLines|noRestrictedImports)/
    const files = readTexts((path) => isSource(path) && path !== 'test/tidy.test.ts')
    expect(files.filter((file) => off.test(file.text)).map((file) => file.path)).toEqual([])
  })
})

describe('no test is left out in silence', () => {
  it.each([
    'it.only(a, () => {})',
    'describe.skip(a, () => {})',
    'test.concurrent.todo(a)',
    'describe.skipIf(noKvm)(a, () => {})',
  ])('bites: %s', (line) => {
    expect(silentSkips(sample(`\n\n${line}\n`))).toHaveLength(1)
  })

  it('does not bite a skip with a reason', () => {
    const fine = "/** Needs Linux. */\ndescribe.skipIf(a)('b')\n\n\n\nit.skipIf(missing)('c')\n"
    expect(silentSkips(sample(fine))).toEqual([])
    expect(silentSkips(sample("it('a', (t) => t.skip('no KVM'))"))).toEqual([])
  })

  it('holds', () => {
    const tests = readTexts((path) => path.endsWith('.test.ts') && path !== 'test/tidy.test.ts')
    expect(tests.flatMap(silentSkips)).toEqual([])
  })
})

describe('no promise stands in a comment', () => {
  it('bites', () => {
    expect(promises(sample('// TODO'))).toHaveLength(1)
    expect(promises(sample("const a = 'TODO'"))).toEqual([])
  })

  it('holds', () => {
    expect(readTexts(isSource).flatMap(promises)).toEqual([])
  })
})

describe('no machine and no registry is named', () => {
  it.each([
    ['', 'home', 'ana', 'src/'].join('/'),
    ['"resolved"', ' "https', '//example.org/a.tgz"'].join(':'),
    ['see registry', 'npmjs', 'org'].join('.'),
  ])('bites: %s', (line) => {
    expect(places(sample(line))).not.toEqual([])
  })

  it('holds, in package-lock.json too', () => {
    const files = readTexts((path) => !/\.(?:png|ico|woff2?|gz|img)$/.test(path))
    expect(files.some((file) => file.path === 'package-lock.json')).toBe(true)
    expect(files.flatMap(places)).toEqual([])
  })
})

it('files are named in kebab-case', () => {
  expect(badNames(['a/camelCase.ts', 'a/snake_case.ts', 'a/kebab-case.test.ts'])).toHaveLength(2)
  const own = repositoryFiles().filter((path) => !/-migrations\//.test(path))
  expect(badNames(own)).toEqual([])
})
