/** docs/cli.md is what `npm run docs` makes of the commands; and it has all of them. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { Runner } from '../../cli/command.ts'
import { EXIT, EXIT_MEANS } from '../../cli/exit-codes.ts'
import { makeProgram } from '../../cli/program.ts'
import { renderApiDocs } from '../../tools/api-docs.ts'
import { renderCliDocs } from '../../tools/cli-docs.ts'
import { renderWebhookDocs } from '../../tools/webhook-docs.ts'
import { readTexts } from '../tidy/tracked-files.ts'
import { surroundings } from './run-cli.ts'

const text = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')

it('is not stale: npm run docs', () => {
  expect(text).toBe(renderCliDocs())
})

it('nor is docs/api-routes.md, with every route and what it needs', () => {
  const url = new URL('../../docs/api-routes.md', import.meta.url)
  expect(readFileSync(url, 'utf8')).toBe(renderApiDocs())
})

it('nor is docs/webhook-events.md, with every type, its fields and an example', () => {
  const url = new URL('../../docs/webhook-events.md', import.meta.url)
  expect(readFileSync(url, 'utf8')).toBe(renderWebhookDocs())
})

it('has every exit code', () => {
  expect(EXIT_MEANS.map((one) => one.code)).toEqual(Object.values(EXIT))
  for (const { code, means } of EXIT_MEANS) expect(text).toContain(`| ${code} | ${means} |`)
})

/** `holdfast group delete web` → the command that it would run, or null when there is none. */
function commandOf(words: readonly string[]): string | null {
  let command = makeProgram(new Runner(surroundings()))
  const path: string[] = []
  for (const word of words) {
    const below = command.commands.find(
      (one) => one.name() === word || one.aliases().includes(word),
    )
    if (!below) break
    command = below
    path.push(word)
  }
  return path.length > 0 && command.commands.length === 0 ? path.join(' ') : null
}

const NOUNS = makeProgram(new Runner(surroundings()))
  .commands.filter((one) => one.commands.length > 0)
  .map((one) => one.name())

/** Commands in texts for people: after `holdfast`, words in small letters and dashes; then what is put in. */
const ADVICE = /\bholdfast ((?:[a-z-]+)(?: [a-z][a-z-]*)?)\b( [$…])?/g

it('finds a command that there is none of', () => {
  expect(commandOf(['group', 'delete'])).toBe('group delete')
  expect(commandOf(['move', 'web'])).toBe('move')
  expect(commandOf(['group'])).toBeNull()
  expect(commandOf(['teleport'])).toBeNull()
})

it('what refusals and pages tell people to run can be run', () => {
  const files = readTexts((path) =>
    /^(?:worker|cli)\/.*\.ts$|^schema\/(?:errors|error-catalogue|api\/.*)\.ts$|^docs\/errors\//.test(
      path,
    ),
  )
  const told = files.flatMap(({ path, text }) =>
    // In quotes or backquotes, or after a colon: elsewhere it is the product's name.
    [...text.matchAll(/(?:[`':>]\s*|try: +)holdfast [a-z].*/g)].flatMap(([line]) =>
      [...line.matchAll(ADVICE)]
        // `holdfast node …`, `holdfast resource ${verb}`: which command it is stays open.
        .filter(([, words = '', open]) => open === undefined || !NOUNS.includes(words))
        .map(([, words = '']) => ({ path, words })),
    ),
  )
  expect(told.length).toBeGreaterThan(20)
  expect(told.filter(({ words }) => commandOf(words.split(' ')) === null)).toEqual([])
})
