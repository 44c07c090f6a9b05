/**
 * docs/join-your-first-hosts.md, word by word: each block of commands is typed into a shell of the
 * machine that it names, and shows what the page shows. Nothing is put in for anything: addresses and
 * folders of the page are those of machines made of namespaces.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT } from '../tidy/tracked-files.ts'
import { cannotPlay, Machines, type Shell } from './machines.ts'
import { blocksOf, differs, type PageBlock } from './page.ts'

const missing = cannotPlay()
const page = readFileSync(join(ROOT, 'docs/join-your-first-hosts.md'), 'utf8')

let machines: Machines | undefined
let desk: Shell
let one: Shell
let two: Shell
let token = ''
beforeAll(async () => {
  if (missing !== null) return
  machines = new Machines({ control: '10.77.0.1', one: '10.77.0.11', two: '10.77.0.12' })
})
afterAll(() => machines?.end())

test('what is shown is compared, times and ids aside', () => {
  expect(differs('a 5 s b', 'a 12.3 s b')).toBeNull()
  expect(differs('at 10:57:29Z …', 'at 11:00:00Z and more')).toBeNull()
  expect(differs('one\n…\nfour', 'one\ntwo\nthree\nfour')).toBeNull()
  expect(differs('epoch 1', 'epoch 2')).toContain('epoch 1')
  expect(differs('one\ntwo', 'one\nextra\ntwo')).toContain('two')
  expect(differs('one', 'one\nextra')).toContain('extra')
})

test('two hosts join, one is lost, and the group comes up on the other (D3, L4)', async (ctx) => {
  ctx.skip(missing !== null, missing ?? '')
  const blocks = blocksOf(page)
  expect(blocks.length).toBeGreaterThan(15)
  for (const block of blocks) await play(block)
}, 180_000)

/** The first line of a block says where it is typed, and what is to be done besides. */
async function play(block: PageBlock): Promise<void> {
  const { where, commands, shown } = block
  if (where === 'on the control plane; leave it running') {
    const shell = await (machines as Machines).shell('control')
    shell.send(commands)
    const text = await shell.shows(/Ctrl-C ends it/)
    expect(differs(`…\n${shown}\n…`, text)).toBeNull()
    return
  }
  for (const shell of await shellsFor(where)) {
    const text = await typed(shell, where, commands)
    if (shown !== null) expect(differs(shown, text), `${where}\n${commands}\n${text}`).toBeNull()
    token = /^hfj_\S+$/m.exec(text)?.[0] ?? token
  }
}

async function shellsFor(where: string): Promise<Shell[]> {
  if (where === 'on the control plane, in a second terminal') {
    desk = await (machines as Machines).shell('control')
    one = await (machines as Machines).shell('one')
    two = await (machines as Machines).shell('two')
    return [desk]
  }
  if (/^on both hosts\b/.test(where)) return [one, two]
  const [, name] = /^on (the control plane|host one|host two)(?:;.*)?$/.exec(where) ?? []
  if (name === undefined) throw new Error(`the page has a block for nobody: ${where}`)
  return [name === 'host one' ? one : name === 'host two' ? two : desk]
}

async function typed(shell: Shell, where: string, commands: string): Promise<string> {
  if (where.endsWith('; paste the token when it asks'))
    return shell.type(commands, { at: /watchdog .*\n/, line: token, until: /^(?:joined|error)/m })
  // These machines are such hosts: it has to say so, with the exit code of the catalogue.
  if (where.endsWith(', where systemd runs them')) {
    const text = await shell.type(`${commands} || test $? = 3`)
    expect(text).toContain('[NO_SERVICE_MANAGER]')
    expect(text).toMatch(/runit[\s\S]*OpenRC[\s\S]*Docker/)
    return text
  }
  return shell.type(commands)
}
