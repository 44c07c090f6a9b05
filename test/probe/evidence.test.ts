/** S-32: where a monitor was when it stood still, and what it said when it ended, seen from outside of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Ending } from '../../probe/core/suspects.ts'
import { LastWords } from '../../probe/guard/last-words.ts'
import { TreeChild } from '../../probe/guard/tree.ts'
import type { LastSeen } from '../../schema/last-calls.ts'

let folder: string
let child: TreeChild | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-evidence-'))
})
afterEach(() => {
  child?.end()
  rmSync(folder, { recursive: true, force: true })
})

interface Down extends LastSeen {
  readonly detail: string
  readonly ending: Ending
}

/** How the first generation of it ends, once it has said that it is about to do what the text says. */
function downOf(
  text: string,
  { begun = () => {}, watched = true }: { begun?: (pid: number) => void; watched?: boolean } = {},
): Promise<Down> {
  const file = join(folder, 'child.mjs')
  writeFileSync(
    file,
    `setInterval(() => {}, 1000)\nprocess.send('begins')\nsetTimeout(() => {\n${text}\n}, 50)\n`,
  )
  return new Promise((resolve) => {
    child = new TreeChild(
      file,
      [],
      {},
      {
        message: () => {
          if (watched) child?.expectWord(300)
          begun(child?.pid as number)
        },
        up: () => {},
        down: (_, detail, ending, seen) => {
          child?.end()
          resolve({ detail, ending, ...seen })
        },
      },
      { heapMb: 64 },
    )
    child.start()
  })
}

test('busy in its own JavaScript: the stack, innermost first, and its inspector is told to nobody', async () => {
  const down = await downOf(
    'function outer() { inner() }\nfunction inner() { while (true); }\nouter()',
  )
  expect(down).toMatchObject({ ending: 'hangs', detail: expect.stringMatching(/no sign of life/) })
  expect(down.stack?.[0]).toMatch(/^inner \(file:\/\/\S+child\.mjs:5:\d+\)$/)
  expect(down.stack?.[1]).toMatch(/^outer \(/)
  expect(down.said).toBeUndefined()
})

test('stopped, or busy where there is no JavaScript: what the kernel says of it', async () => {
  const stopped = await downOf('', { begun: (pid) => process.kill(pid, 'SIGSTOP') })
  expect(stopped.stack).toEqual(['stopped by a signal (state T)'])
  const waits = await downOf(
    `process.getBuiltinModule('node:child_process').execFileSync('/bin/sleep', ['3'])`,
  )
  expect(waits.stack?.join()).toMatch(/^no JavaScript stack to be had: state S in the kernel, /)
}, 60_000)

test('one that ends by itself: what it has written last', async () => {
  const down = await downOf(`throw new Error('the ledger is gone')`)
  expect(down).toMatchObject({ ending: 'exit', detail: 'exit 1' })
  expect(down.said?.join('\n')).toMatch(/Error: the ledger is gone\n\s+at /)
  expect(down.stack).toBeUndefined()
})

test('one that leaks ends at its limit, and says that it was that', async () => {
  const down = await downOf('const kept = []\nfor (;;) kept.push({ n: kept.length })', {
    watched: false,
  })
  expect(down).toMatchObject({ ending: 'signal', detail: 'SIGABRT' })
  expect(down.said?.join('\n')).toMatch(/heap out of memory/)
}, 60_000)

test('what is written without end is passed on within bounds, and the rest is counted', () => {
  let passedOn = ''
  const words = new LastWords((text) => {
    passedOn += text
  })
  const line = 'x'.repeat(1_023)
  for (let n = 0; n < 10_000; n += 1) words.write(`${line}\n`, 0)
  expect(passedOn.length).toBe(256 * 1_024)
  words.write('after\n', 10_000)
  expect(passedOn.slice(256 * 1_024)).toBe('holdfast guard: 9977856 bytes were left out\nafter\n')
  words.write('half a line', 10_000)
  expect(words.last).toHaveLength(20)
  expect(words.last.slice(-2)).toEqual(['after', 'half a line'])
})
