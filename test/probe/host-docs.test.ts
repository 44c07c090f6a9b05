/** docs/probe.md is what `npm run docs` makes of the commands of a host; and it has all of them. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { EXIT_ROWS } from '../../probe/commands/exit-codes.ts'
import { Runner } from '../../probe/commands/host.ts'
import { makeProgram } from '../../probe/commands/program.ts'
import { renderProbeDocs } from '../../tools/probe-docs.ts'

const text = readFileSync(new URL('../../docs/probe.md', import.meta.url), 'utf8')

it('is not stale: npm run docs', () => {
  expect(text).toBe(renderProbeDocs())
})

it('has every command and every exit code', () => {
  for (const command of makeProgram(new Runner()).commands) {
    const shown = command.createHelp().visibleCommands(command)
    const names = shown
      .filter((one) => one.name() !== 'help')
      .map((one) => `${command.name()} ${one.name()}`)
    for (const name of names.length > 0 ? names : [command.name()])
      expect(text).toContain(`\n### ${name}\n`)
  }
  for (const { exit, means } of EXIT_ROWS) expect(text).toContain(`| ${exit} | ${means} |`)
})
