/** "Deploy" of the hosted service: what `wrangler deploy` would upload, without an account. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'

const run = promisify(execFile)
const ROOT = new URL('../..', import.meta.url).pathname
/** Of the smallest plan of the platform, compressed. */
const UPLOAD_MAX_BYTES = 3 * 2 ** 20

let folder: string
let said: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-deploy-'))
  const wrangler = join(ROOT, 'node_modules/wrangler/bin/wrangler.js')
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', NO_COLOR: '1' }
  const words = [wrangler, 'deploy', '--dry-run', '--outdir', folder]
  const done = await run(process.execPath, words, { cwd: ROOT, env })
  said = done.stdout
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('wrangler deploy --dry-run takes it, with every binding that the Worker reads', () => {
  for (const binding of ['env.CLUSTER (Cluster)', 'env.DB (holdfast)', 'env.ADDRESS_HEADER'])
    expect(said).toContain(binding)
})

test('it fits the smallest plan of the platform', () => {
  const bytes = readdirSync(folder)
    .filter((name) => !name.endsWith('.map') && !name.endsWith('.md'))
    .reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0)
  expect(bytes).toBeLessThan(UPLOAD_MAX_BYTES)
})

test('the migrations of the objects go with it, and D1 is migrated from the folder that wrangler.toml names', () => {
  const uploaded = readdirSync(folder).filter((name) => name.endsWith('.sql'))
  const hive = readdirSync(join(ROOT, 'worker/hive-migrations')).filter((n) => n.endsWith('.sql'))
  for (const name of hive)
    expect(
      uploaded.some((one) => one.endsWith(name)),
      name,
    ).toBe(true)
  const toml = readFileSync(join(ROOT, 'wrangler.toml'), 'utf8')
  const [, d1 = ''] = /^migrations_dir = "(.+)"$/m.exec(toml) ?? []
  expect(statSync(join(ROOT, d1)).isDirectory()).toBe(true)
})
