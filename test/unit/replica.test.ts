/** The replica on disk (Q7, S-77): what it holds is what was written, or nothing. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Replica } from '../../probe/agent/replica.ts'
import { toDocument } from '../../schema/hive.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-replica-'))
  file = join(folder, 'hive.json')
  const replica = new Replica(folder)
  replica.hive.seq = 41
  replica.hash = 'a'.repeat(64)
  replica.flush()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('what was written is read again', () => {
  const replica = new Replica(folder)
  expect(replica.hive.seq).toBe(41)
  expect(replica.hash).toBe('a'.repeat(64))
})

test('S-77: a row that was changed on disk is not believed, though it is a valid hive', () => {
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace('"seq":41', '"seq":42'))
  const replica = new Replica(folder)
  expect(toDocument(replica.hive)).toMatchObject({ seq: 0 })
  expect(replica.hash).toBe('0'.repeat(64))
})
