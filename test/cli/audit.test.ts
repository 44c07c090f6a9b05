/** The audit log by the command, against a real control plane: listed, exported, and judged without it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { RealCluster } from './real-cluster.ts'
import { runCli } from './run-cli.ts'

let real: RealCluster
const folder = mkdtempSync(join(tmpdir(), 'holdfast-audit-'))
beforeAll(async () => {
  real = await RealCluster.start()
  await real.online('db', ['pg'])
}, 60_000)
afterAll(async () => {
  await real?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const audit = (...words: string[]) => runCli(['audit', ...words], { env: real.env, cwd: folder })
const verify = (words: readonly string[], input = '') =>
  runCli(['audit', 'verify', ...words], { cwd: folder, input })

test('exported and verified, from a file and a pipe, with no control plane at hand', async () => {
  const { stdout: text, stderr } = await audit('export')
  const head = /^head \d+ ([0-9a-f]{64})$/m.exec(stderr)?.[1] as string
  writeFileSync(join(folder, 'audit.jsonl'), text)
  const good = await verify(['audit.jsonl', '--head', head])
  expect(good, good.stderr).toMatchObject({ code: 0 })
  expect(good.stdout).toMatch(/^entries 1 to \d+ of [0-9a-f-]{36}: unbroken\nhead /)
  expect(await verify(['-'], text)).toMatchObject({ code: 0 })
  const bad = await verify(['-'], text.replace('"createGroup"', '"deleteGroup"'))
  expect(bad).toMatchObject({ code: EXIT.unexpected, stdout: '' })
  expect(bad.stderr).toContain('standard input is not as it was written: entry')
  expect(bad.stderr).toContain('AUDIT_BROKEN')
  const cut = await verify(['-', '--head', 'f'.repeat(64)], text)
  expect(cut.code).toBe(EXIT.unexpected)
  expect(await verify(['nosuch.jsonl'])).toMatchObject({ code: EXIT.usage })
})

test('nobody can claim an address where no edge vouches for any', async () => {
  const headers = {
    authorization: `Bearer ${real.control.key}`,
    'cf-connecting-ip': '192.0.2.7',
    'x-forwarded-for': '192.0.2.7',
    'mf-cf-blob': '{"clientIp":"192.0.2.7:1"}',
  }
  const url = `${real.control.url}/v1/clusters/${real.params.cluster}/groups`
  const body = JSON.stringify({ name: 'claimed' })
  expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(200)
  const { stdout } = await audit('list', '--limit', '1', '--json')
  expect(JSON.parse(stdout).entries).toMatchObject([
    { route: 'createGroup', asked: { name: 'claimed' }, from: null },
  ])
})
