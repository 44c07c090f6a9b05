/** S-32: what a resource monitor was doing, as told by what it has left behind. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CallRing, readRing, ringPath, underWay } from '../../probe/os/call-ring.ts'

let folder: string
let path: string
let ring: CallRing
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-ring-'))
  path = ringPath(folder, 'rhs:1ca328eb-9fba-4bbd-9fdc-9d393eed2e9f')
  ring = new CallRing()
  ring.start(path)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('calls that have ended, with how long they took, and those that have not', () => {
  ring.begin('process', 'online', 'nginx', [], 1_000)(12.34)
  ring.begin('process', 'isAlive', 'nginx, db', [], 2_000)(0.5, 'exit 1')
  ring.begin('script', 'offline', 'mail', [], 3_000)
  expect(readRing(path)).toEqual([
    { n: 0, type: 'process', fn: 'online', of: 'nginx', ids: [], atMs: 1_000, tookMs: 12.3 },
    {
      n: 1,
      type: 'process',
      fn: 'isAlive',
      of: 'nginx, db',
      ids: [],
      atMs: 2_000,
      tookMs: 0.5,
      error: 'exit 1',
    },
    { n: 2, type: 'script', fn: 'offline', of: 'mail', ids: [], atMs: 3_000 },
  ])
  expect(underWay(readRing(path), 8_012)).toBe('offline of script mail for 5012 ms')
})

test('the last hundred, and one that hangs is there for longer than that', () => {
  ring.begin('script', 'isAlive', 'hangs', [], 0)
  for (let n = 1; n <= 250; n += 1) ring.begin('process', 'isAlive', `r${n}`, [], n)(1)
  const calls = readRing(path)
  expect(calls).toHaveLength(100)
  expect(calls[0]).toMatchObject({ of: 'hangs' })
  expect(calls.slice(1).map((call) => call.of)).toEqual(
    Array.from({ length: 99 }, (_, i) => `r${i + 152}`),
  )
  expect(underWay(calls, 500)).toBe('isAlive of script hangs for 500 ms')
})

test('a hundred that hang at once: the next ones are made all the same', () => {
  for (let n = 0; n < 150; n += 1) ring.begin('script', 'isAlive', `r${n}`, [], n)
  expect(readRing(path)).toHaveLength(100)
  expect(underWay(readRing(path), 200)).toMatch(
    /^isAlive of script r50 for 150 ms, .* and 96 more$/,
  )
})

test('names and errors of any length and alphabet have their place, and nobody else’s', () => {
  const long = 'ü'.repeat(5_000)
  ring.begin('process', 'online', long, [], 1)(1, `${long}\n${long}`)
  ring.begin('process', 'online', 'next', [], 2)(1)
  const calls = readRing(path)
  expect(calls).toHaveLength(2)
  expect(calls[0]?.tookMs).toBe(1)
  expect(calls[1]).toMatchObject({ of: 'next' })
  expect(readFileSync(path).length).toBeLessThanOrEqual(100 * 512)
})

test('nothing there, half of it, or something else: what can be read is read', () => {
  expect(readRing(join(folder, 'none'))).toEqual([])
  expect(underWay([], 0)).toBeNull()
  ring.begin('process', 'online', 'a', [], 1)(1)
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, `${text}{"n":1,"fn":"on\u0000garbage\n{"n":"x"}\n`)
  expect(readRing(path)).toHaveLength(1)
})

test('no folder, no file: calls are made all the same', () => {
  const lost = new CallRing()
  lost.start(join(folder, 'no', 'such', 'folder'))
  lost.begin('process', 'online', 'a', [], 1)(1)
})

test('a new monitor begins anew', () => {
  ring.begin('process', 'online', 'a', [], 1)
  new CallRing().start(path)
  expect(readRing(path)).toEqual([])
})
