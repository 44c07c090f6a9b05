/** docs/quick-start.md, word by word, on a machine made of namespaces: its demo is alone there. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ROOT } from '../tidy/tracked-files.ts'
import { cannotPlay, Machines, type Shell } from './machines.ts'
import { blocksOf, differs } from './page.ts'

const missing = cannotPlay(['curl', 'pgrep'])
let machines: Machines | undefined
afterAll(() => machines?.end())

test('the demo starts, a group moves, a host falls silent, and its group comes up elsewhere (D3, L4)', async (ctx) => {
  ctx.skip(missing !== null, missing ?? '')
  machines = new Machines({ desk: '10.77.1.1' })
  const first = await machines.shell('desk')
  let second: Shell | undefined
  const blocks = blocksOf(readFileSync(join(ROOT, 'docs/quick-start.md'), 'utf8'))
  expect(blocks.length).toBeGreaterThan(5)
  for (const { where, commands, shown } of blocks) {
    if (where === 'in one terminal; leave it running') {
      first.send(commands)
      const text = await first.shows(/Ctrl-C stops everything/)
      expect(differs(`…\n${shown}`, text)).toBeNull()
      continue
    }
    expect(where).toBe('in another terminal')
    second ??= await machines.shell('desk')
    const text = await second.type(commands)
    if (shown !== null) expect(differs(shown, text), `${commands}\n${text}`).toBeNull()
  }
}, 120_000)
