/** S-68: the file of deliberate local stops. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LocalStops } from '../../probe/agent/local-stops.ts'
import type { LocalIntent } from '../../schema/session.ts'

const A = '00000000-0000-4000-8000-00000000000a'
const B = '00000000-0000-4000-8000-00000000000b'
const stop = (resourceId: string, epoch = 1): LocalIntent => ({
  resourceId,
  epoch,
  persistentState: 0,
  knownSeq: 7,
})

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-stops-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('durable before it is done, there after a restart, gone once the hive has it', () => {
  const stops = new LocalStops(folder)
  stops.ask(stop(A))
  stops.order(A, { epoch: 1, how: 'kill', knownSeq: 7 })
  stops.note(stop(B, 4))
  expect(stops.overrides).toEqual(
    new Map([
      [A, { epoch: 1, how: 'kill', knownSeq: 7 }],
      [B, { epoch: 4, how: 'stop', knownSeq: 7 }],
    ]),
  )
  const again = new LocalStops(folder)
  expect(again.all).toEqual([stop(A), stop(B, 4)])
  // What is to go at once is of one run of the agent; what is wanted is not.
  expect(again.overrides.get(A)).toEqual({ epoch: 1, how: 'stop', knownSeq: 7 })
  again.settle([stop(A)])
  expect(new LocalStops(folder).all).toEqual([stop(B, 4)])
})

test('an acknowledgement of an earlier placement settles nothing of a later one', () => {
  const stops = new LocalStops(folder)
  stops.note(stop(A, 5))
  stops.settle([stop(A, 4)])
  expect(stops.has(A, 5)).toBe(true)
  expect(stops.has(A, 4)).toBe(false)
})

test('what cannot be made durable is not begun; what was seen is kept, and written later', async () => {
  const stops = new LocalStops(folder)
  const blocked = join(folder, 'local-stops.json.new')
  mkdirSync(blocked)
  expect(() => stops.ask(stop(A))).toThrow()
  expect(stops.all).toEqual([])
  stops.note(stop(B))
  expect(stops.all).toEqual([stop(B)])
  rmSync(blocked, { recursive: true })
  for (let n = 0; n < 300 && new LocalStops(folder).all.length === 0; n += 1)
    await new Promise((resolve) => setTimeout(resolve, 10))
  expect(new LocalStops(folder).all).toEqual([stop(B)])
})

test('a damaged file is not guessed at', () => {
  writeFileSync(join(folder, 'local-stops.json'), '[{"resourceId":')
  const stops = new LocalStops(folder)
  expect(stops.all).toEqual([])
  stops.note(stop(A))
  expect(JSON.parse(readFileSync(join(folder, 'local-stops.json'), 'utf8'))).toEqual([stop(A)])
})
