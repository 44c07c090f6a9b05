/**
 * `npm run bench:api`: the API over HTTP through Worker and Durable Object on loopback, at 200 requests a second,
 * beside an empty route to an empty object at the same rate, and under the storm of another tenant. A real
 * workerd; every load is a process of its own.
 *
 *   npm run bench:api -- [--runs 5] [--seconds 10] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startControlPlane } from '../demo/control-plane.ts'
import { createClient } from '../schema/api/client.ts'
import { newKey, PREFIX_LENGTH, sha256 } from '../worker/secrets.ts'
import { startEmpty } from './api-empty.ts'
import { type Ask, type Loaded, load, NUMBER } from './api-load.ts'
import { median, printTable } from './figures.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
  },
})
const [runs, ms] = [Number(values.runs), Number(values.seconds) * 1_000]
const PER_SECOND = 200
/** Of a key 200 requests a second, of an organisation 800: the calm tenant has enough, the storm does not. */
const RATE_FACTOR = 4
const BUDGET = { reads: 1.5, writes: 3, storm: 1.2 }
const GROUPS = 20

const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
const control = await startControlPlane({
  ...{ folder, port: 0, extensions: false, rateFactor: RATE_FACTOR },
})
const empty = await startEmpty()
try {
  const keys = await Promise.all(['one', 'two', 'storm'].map(organisation))
  const [calm = '', second = '', storm = ''] = keys
  await Promise.all(keys.map(cluster))
  const mixed = [...mixedOf(calm), ...mixedOf(second)]
  const nothing: Ask[] = [{ kind: 'empty', method: 'GET', path: '/', key: null }]
  const steady = { perSecond: PER_SECOND, atATime: 64, ms }
  const calls = (asks: readonly Ask[], url = control.url) => load({ url, asks, ...steady })
  const stormy = () =>
    load({ url: control.url, asks: mixedOf(storm), perSecond: null, atATime: 16, ms: ms + 1_000 })

  // Everything has run once before anything counts.
  await calls(mixed)
  await calls(nothing, empty.url)
  const seen: { empty: Loaded; mixed: Loaded; under: Loaded; storm: Loaded }[] = []
  for (let run = 0; run < runs; run++) {
    const of = { empty: await calls(nothing, empty.url), mixed: await calls(mixed) }
    const [under, other] = await Promise.all([calls(mixed), stormy()])
    seen.push({ ...of, under, storm: other })
  }
  report(seen)
} finally {
  await empty.stop()
  await control.stop()
  rmSync(folder, { recursive: true, force: true })
}
process.exit()

/** @returns a key that may do everything in a new organisation */
async function organisation(name: string): Promise<string> {
  const { key } = newKey()
  const db = await control.database()
  const [id, keyId] = [crypto.randomUUID(), crypto.randomUUID()]
  const everything = JSON.stringify([{ role: 'admin', cluster: null }])
  await db.batch([
    db
      .prepare('insert into organisations (id, name, created_at_ms) values (?, ?, 0)')
      .bind(id, name),
    db
      .prepare(
        "insert into api_keys (id, organisation_id, name, scopes, created_at_ms, created_by) values (?, ?, 'bench', ?, 0, 'bench')",
      )
      .bind(keyId, id, everything),
    db
      .prepare(
        'insert into api_key_secrets (prefix, key_id, hash, created_at_ms) values (?, ?, ?, 0)',
      )
      .bind(key.slice(0, PREFIX_LENGTH), keyId, await sha256(key)),
  ])
  return key
}

async function cluster(key: string): Promise<void> {
  const api = createClient({ url: control.url, key })
  await api('createCluster', { body: { name: 'prod', profile: 'standard' } })
  const params = { cluster: 'prod' }
  for (let n = 0; n < GROUPS; n++) await api('createGroup', { params, body: { name: `g${n}` } })
}

/** Six reads for each write, as consoles and scripts ask. */
function mixedOf(key: string): Ask[] {
  const root = '/v1/clusters/prod'
  return Array.from({ length: GROUPS }).flatMap((_, n): Ask[] => {
    const get = (path: string): Ask => ({ kind: 'read', method: 'GET', path: root + path, key })
    const group = `/groups/g${n}`
    return [
      ...[
        get(''),
        get(group),
        get('/groups'),
        get(`${group}/why`),
        get('/nodes'),
        get('/operations'),
      ],
      {
        ...{ kind: 'write', method: 'PATCH', path: root + group, key },
        // Another value each time: what changes nothing is not committed.
        body: { priority: NUMBER },
      },
    ]
  })
}

function report(seen: { empty: Loaded; mixed: Loaded; under: Loaded; storm: Loaded }[]): void {
  const p99 = (loaded: Loaded, kind: string) => quantile(loaded.tookMs[kind] ?? [], 0.99)
  const over = (pick: (run: (typeof seen)[number]) => number) => round(median(seen.map(pick)))
  const count = (loaded: Loaded, good: (status: string) => boolean) =>
    Object.entries(loaded.statuses).reduce((sum, [status, n]) => sum + (good(status) ? n : 0), 0)
  const failed = seen.reduce(
    (sum, run) => sum + count(run.mixed, (s) => s !== '200') + count(run.under, (s) => s !== '200'),
    0,
  )
  const ratios = {
    reads: over((run) => p99(run.mixed, 'read') / p99(run.empty, 'empty')),
    writes: over((run) => p99(run.mixed, 'write') / p99(run.empty, 'empty')),
    readsInStorm: over((run) => p99(run.under, 'read') / p99(run.mixed, 'read')),
    writesInStorm: over((run) => p99(run.under, 'write') / p99(run.mixed, 'write')),
  }
  const p99Ms = {
    empty: over((run) => p99(run.empty, 'empty')),
    read: over((run) => p99(run.mixed, 'read')),
    write: over((run) => p99(run.mixed, 'write')),
    readInStorm: over((run) => p99(run.under, 'read')),
    writeInStorm: over((run) => p99(run.under, 'write')),
  }
  const stormPerSecond = over((run) => (1_000 * count(run.storm, () => true)) / (ms + 1_000))
  const stormRefused = over(
    (run) => count(run.storm, (s) => s === '429') / count(run.storm, () => true),
  )
  const result = {
    ...{ bench: 'api', perSecond: PER_SECOND, runs, failed, p99Ms, ratios },
    storm: { perSecond: stormPerSecond, refused: stormRefused },
    budget: BUDGET,
    budgetsMet:
      failed === 0 &&
      ratios.reads <= BUDGET.reads &&
      ratios.writes <= BUDGET.writes &&
      Math.max(ratios.readsInStorm, ratios.writesInStorm) <= BUDGET.storm,
  }
  if (!values.json)
    printTable(
      ['p99', 'ms', 'ratio', 'budget'],
      [
        ['empty', String(p99Ms.empty), '', ''],
        ['read', String(p99Ms.read), String(ratios.reads), String(BUDGET.reads)],
        ['write', String(p99Ms.write), String(ratios.writes), String(BUDGET.writes)],
        [
          'read in a storm',
          String(p99Ms.readInStorm),
          String(ratios.readsInStorm),
          String(BUDGET.storm),
        ],
        [
          'write in a storm',
          String(p99Ms.writeInStorm),
          String(ratios.writesInStorm),
          String(BUDGET.storm),
        ],
      ],
    )
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

function round(x: number): number {
  return Math.round(x * 100) / 100
}

function quantile(all: readonly number[], q: number): number {
  const sorted = [...all].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * q)] ?? Number.NaN
}
