/** What may not stand where. Each finding is one line: `path:line: what`. */
import { splitSource } from './source-text.ts'
import type { TextFile } from './tracked-files.ts'

/** Core decides from its arguments: no clock, no chance, nothing to wait for, nothing outside. */
const NOT_IN_CORE: readonly [RegExp, string][] = [
  [/\bDate\s*\.\s*now\b|\bnew\s+Date\b|(?<![.\w])Date\s*\(/, 'a clock'],
  [/(?<![.\w])performance\b|\bTemporal\b/, 'a clock'],
  [/\bMath\s*\.\s*random\b|(?<![.\w])crypto\b|\brandomUUID\b/, 'chance'],
  [/\b(?:set|clear)(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/, 'a timer'],
  [/\basync\b|\bawait\b|\bPromise\b/, 'something to wait for'],
  [
    /(?<![.\w])process\s*[.[]|\bglobalThis\b|(?<![.\w])fetch\s*\(|(?<![.\w])console\b/,
    'the outside',
  ],
  [/\blocaleCompare\b|\bIntl\b|\btoLocale/, 'a locale'],
]

export function impurities(file: TextFile): string[] {
  const { code, pieces } = splitSource(file.text)
  const found = code
    .split('\n')
    .flatMap((line, i) =>
      NOT_IN_CORE.filter(([pattern]) => pattern.test(line)).map(
        ([, what]) => `${file.path}:${i + 1}: ${what} in a core folder`,
      ),
    )
  const imports = pieces.filter(
    (piece) => piece.kind === 'string' && /\b(?:from|import|import\()$/.test(piece.before),
  )
  for (const piece of imports)
    if (!/^['"]\.{1,2}\//.test(piece.text))
      found.push(`${file.path}:${piece.line}: import of ${piece.text} in a core folder`)
  return found
}

export function promises(file: TextFile): string[] {
  return splitSource(file.text)
    .pieces.filter((piece) => piece.kind === 'comment')
    .filter((piece) => /\b(?:TODO|FIXME|XXX|HACK)\b/.test(piece.text))
    .map((piece) => `${file.path}:${piece.line}: a promise in a comment`)
}

/**
 * A test that is left out says why, to whoever reads the run: `context.skip(condition, 'reason')`.
 * `skipIf` has no place for a reason, so its title or the line above it must hold one.
 */
export function silentSkips(file: TextFile): string[] {
  const { code, pieces } = splitSource(file.text)
  const lines = file.text.split('\n')
  return code.split('\n').flatMap((line, i) => {
    const where = `${file.path}:${i + 1}`
    if (/\b(?:it|test|describe)(?:\.\w+)*\.only\b/.test(line)) return [`${where}: only this test`]
    if (/\b(?:it|test|describe)(?:\.\w+)*\.(?:skip|todo)\b/.test(line))
      return [`${where}: a test that never runs`]
    const conditional = /\.(?:skipIf|runIf)\b/.test(line)
    const explained = pieces.some((p) => p.kind === 'comment' && p.line <= i + 1 && p.line >= i - 1)
    if (conditional && !explained && !/missing|lacks|reason/i.test(lines[i] ?? ''))
      return [`${where}: a skip without a reason`]
    return []
  })
}

const PLACES: readonly [RegExp, string][] = [
  [/(?<![\w.~-])\/(?:work|Users|home)\/[\w.-]+\//, 'a path of one machine'],
  [/\/tmp\/[\w.-]*_jobs/, 'a path of one machine'],
  [/"resolved":\s*"(?:https?|file):/, 'an address of a registry'],
  [/\bregistry\.[\w-]+\.\w{2,}/, 'an address of a registry'],
]

export function places(file: TextFile): string[] {
  return file.text
    .split('\n')
    .flatMap((line, i) =>
      PLACES.filter(([pattern]) => pattern.test(line)).map(
        ([, what]) => `${file.path}:${i + 1}: ${what}`,
      ),
    )
}

/** Kebab-case by concept; what tools ask for by name is as they want it. */
export function badNames(paths: readonly string[]): string[] {
  return paths
    .filter((path) => /\.(?:ts|js|mjs|cjs)$/.test(path))
    .filter((path) => !/^\.?[a-z0-9]+(?:[-.][a-z0-9]+)*$/.test(path.split('/').at(-1) ?? ''))
    .map((path) => `${path}: not kebab-case`)
}
