/** The replica on disk (Q7, S-77): what it holds is what was written, or nothing. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Replica } from '../../probe/agent/replica.ts'
import { canonicalJson } from '../../schema/canonical.ts'
import { toDocument } from '../../schema/hive.ts'
import type { Update } from '../../schema/update.ts'

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

test('U3: a hash of the chain that was changed on disk is not believed either', () => {
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace('"hash":"aaaa', '"hash":"aaab'))
  expect(new Replica(folder).hive.seq).toBe(0)
})

test('G8: what came since the file was written is there after a crash; half a line is not', () => {
  const id = '00000000-0000-4000-8000-000000000001'
  const update = (seq: number): Update => ({
    ...{ seq, atMs: 0, correlationId: 'u', because: { manager: 'NM', code: 'nodeLeft' } },
    change: { table: 'node', id, value: null },
  })
  const replica = new Replica(folder)
  let hash = replica.hash
  for (const seq of [42, 43]) {
    hash = createHash('sha256')
      .update(hash)
      .update(canonicalJson(update(seq)))
      .digest('hex')
    expect(replica.apply([update(seq)], hash)).toBe(true)
  }
  // Killed before the file was written again.
  expect(new Replica(folder).hive.seq).toBe(43)
  expect(new Replica(folder).hash).toBe(hash)
  const log = readFileSync(join(folder, 'hive.log'), 'utf8')
  writeFileSync(join(folder, 'hive.log'), log.slice(0, -20))
  expect(new Replica(folder).hive.seq).toBe(42)
  // One that does not follow: what is here cannot be told from damage.
  writeFileSync(join(folder, 'hive.log'), log.replace(hash, 'b'.repeat(64)))
  expect(new Replica(folder).hive.seq).toBe(0)
  // Written: the log begins anew.
  replica.flush()
  expect(readFileSync(join(folder, 'hive.log'), 'utf8')).toBe('')
  expect(new Replica(folder).hive.seq).toBe(43)
})
