import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { TreeChild } from '../../../probe/guard/tree.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-tree-'))
const node = process.execPath
let child: TreeChild | undefined
afterEach(() => {
  child?.end()
  process.execPath = node
  rmSync(folder, { recursive: true, force: true })
})

test('a child that cannot be started now, or hangs, is started again', async () => {
  const file = join(folder, 'child.mjs')
  // It speaks once, and then hangs.
  writeFileSync(file, `let n = 0\nprocess.on('message', () => n++ || process.send('word'))\n`)
  const said: string[] = []
  child = new TreeChild(
    file,
    [],
    {},
    {
      message: () => said.push('word'),
      up: () => {},
      down: (generation, detail) => said.push(`down ${generation} ${detail.slice(0, 17)}`),
    },
  )
  const until = async (what: string) => {
    const end = performance.now() + 30_000
    while (!said.includes(what)) {
      if (performance.now() > end) throw new Error(`not seen: ${what}, but ${said}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  process.execPath = join(folder, 'no-such-node')
  child.start()
  await until('down 1 cannot be started')
  process.execPath = node
  while (!said.includes('word')) {
    child.send({ hello: 1 })
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  child.expectWord(200)
  const pid = child.pid as number
  await until([...said].reverse().find((s) => s.startsWith('down')) ?? 'down')
  const end = performance.now() + 30_000
  while (child.pid === pid && performance.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 20))
  expect(child.pid).not.toBe(pid)
  expect(said.at(-1)).toMatch(/^down \d+ it hangs: no sign/)
})

test('one that may have to be replaced has its successor ready; one that is killed on purpose begins anew', async () => {
  const file = join(folder, 'ready.mjs')
  const begun = join(folder, 'begun')
  mkdirSync(folder, { recursive: true })
  writeFileSync(begun, '')
  writeFileSync(
    file,
    `import { appendFileSync } from 'node:fs'
     appendFileSync(${JSON.stringify(begun)}, process.pid + '\\n')
     process.on('message', () => process.send('word'))
     process.on('disconnect', () => process.exit(0))\n`,
  )
  const pids = () => readFileSync(begun, 'utf8').split('\n').filter(Boolean).map(Number)
  const words: number[] = []
  const own = new TreeChild(
    file,
    [],
    {},
    {
      message: () => void words.push(own.pid as number),
      up: () => own.send({ hello: 1 }),
      down: () => {},
    },
  )
  child = own
  const until = async (is: () => boolean) => {
    for (const end = performance.now() + 20_000; !is(); ) {
      if (performance.now() > end) throw new Error(`in vain: ${pids()} ${words}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  own.start()
  await until(() => words.length === 1)
  own.prepare()
  own.prepare()
  await until(() => pids().length === 2)
  own.hangs('it hangs')
  await until(() => words.length === 2)
  expect(words).toEqual(pids())
  own.prepare()
  await until(() => pids().length === 3)
  own.kill()
  await until(() => words.length === 3)
  expect(words[2]).toBe(pids()[3])
}, 30_000)
