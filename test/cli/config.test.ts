/** Configuration as code by the command, against a real control plane: plan, apply, export, and bad files. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { RealCluster } from './real-cluster.ts'
import { runCli } from './run-cli.ts'

let real: RealCluster
const folder = mkdtempSync(join(tmpdir(), 'holdfast-config-'))
beforeAll(async () => {
  real = await RealCluster.start()
  await real.online('db', ['pg'])
}, 60_000)
afterAll(async () => {
  await real?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const run = (...words: string[]) => runCli(words, { env: real.env, cwd: folder })
const write = (name: string, text: string) => writeFileSync(join(folder, name), text)

const CLUSTER = `# What this is for.
groups:
  web:                      # the shop
    preferredOwners: [n1]
    failback: 22:00-04:00@Europe/Berlin
    resources:
      nginx:
        type: process
        properties: { command: /usr/sbin/nginx }   # from the distribution
        restart: { attempts: 3, period: 15m }
rules:
  far: { keepApart: [web, db], hard: true }
`

test('plan says what changes and what happens; apply makes it so; then there is nothing to change', async () => {
  write('cluster.yaml', CLUSTER)
  const plan = await run('plan', '-f', 'cluster.yaml', '--out', 'plan.json', '--detailed-exitcode')
  expect(plan.code, plan.stderr).toBe(EXIT.changes)
  expect(plan.stdout).toContain('3 made, 0 changed, 0 deleted')
  expect(plan.stdout).toMatch(/GROUP +WHAT +FROM +TO/)
  expect(plan.stdout).toContain('kept (--prune deletes): group db')
  const applied = await run('apply', 'plan.json', '--yes')
  expect(applied.code, applied.stderr).toBe(EXIT.done)
  const events = await run('events', '--since', '1h')
  expect(events.stdout).toContain('cluster.yaml:12')
  const again = await run('plan', '-f', 'cluster.yaml', '--detailed-exitcode')
  expect(again).toMatchObject({ code: EXIT.done })
  expect(again.stdout).toContain('nothing to change')
})

test('a stale plan is refused with 7, and changes nothing', async () => {
  const saved = await run('apply', 'plan.json', '--yes')
  // Nothing is left of it to do.
  expect(saved.code, saved.stderr).toBe(EXIT.done)
  write('more.yaml', 'groups: { mail: {} }\n')
  await run('plan', '-f', 'more.yaml', '--out', 'more.json')
  await run('group', 'create', 'meanwhile')
  const stale = await run('apply', 'more.json', '--yes')
  expect(stale.code).toBe(EXIT.conflict)
  expect(stale.stderr).toContain('PLAN_STALE')
  expect((await run('group', 'show', 'mail')).code).toBe(EXIT.notFound)
})

test('--prune: what the file does not name is stopped, then deleted; each is listed before', async () => {
  write('only.yaml', CLUSTER.slice(0, CLUSTER.indexOf('rules:')))
  const before = await run('plan', '-f', 'only.yaml', '--prune')
  expect(before.code, before.stderr).toBe(EXIT.done)
  for (const line of ['- group meanwhile', '- group db', '- resource pg', '- rule far'])
    expect(before.stdout).toContain(line)
  expect(before.stdout).toContain('Stopped first, then deleted: pg, db')
  const done = await run('apply', '-f', 'only.yaml', '--prune', '--yes', '--timeout', '15s')
  expect(done.code, done.stderr).toBe(EXIT.done)
  for (const name of ['meanwhile', 'db'])
    expect((await run('group', 'show', name)).code).toBe(EXIT.notFound)
})

test('a plan that would stop what runs, with nowhere to go, is refused; --force makes it', async () => {
  const group = (n: number) =>
    `a${n}: { resources: { r${n}: { type: process, properties: { command: /bin/true } } } }`
  write('three.yaml', `groups: { ${[1, 2, 3].map(group).join(', ')} }\n`)
  expect((await run('apply', '-f', 'three.yaml', '--yes')).code).toBe(EXIT.done)
  await real.until((view) => view.groups.every((g) => g.phase === 'owned'))
  // Three that are never on one node, and two nodes.
  write('apart.yaml', 'rules: { apart: { keepApart: [a1, a2, a3], hard: true } }\n')
  const plan = await run('plan', '-f', 'apart.yaml')
  expect(plan.code, plan.stderr).toBe(EXIT.done)
  expect(plan.stdout).toMatch(/a\d +waits +n\d +nowhere +- +n1 .+apart.+apart\.yaml:1/)
  const refused = await run('apply', '-f', 'apart.yaml', '--yes')
  expect(refused.code).toBe(EXIT.refused)
  expect(refused.stderr).toContain('PLAN_STOPS_GROUP')
  expect(JSON.parse((await run('rule', 'list', '--json')).stdout)).toEqual({ rules: [] })
  expect((await run('apply', '-f', 'apart.yaml', '--yes', '--force')).code).toBe(EXIT.done)
})

test('export is YAML that plans to nothing; --into keeps comments and order', async () => {
  const text = await run('export')
  expect(text.code, text.stderr).toBe(EXIT.done)
  expect(text.stdout).toMatch(/^# yaml-language-server: \$schema=/)
  write('exported.yaml', text.stdout)
  expect((await run('plan', '-f', 'exported.yaml', '--prune', '--detailed-exitcode')).code).toBe(0)
  expect((await run('group', 'change', 'web', '--priority', '7')).code).toBe(EXIT.done)
  expect((await run('export', '--into', 'cluster.yaml')).code).toBe(EXIT.done)
  const merged = readFileSync(join(folder, 'cluster.yaml'), 'utf8')
  expect(merged).toContain('# What this is for.')
  expect(merged).toContain('# the shop')
  expect(merged).toContain('# from the distribution')
  expect(merged).toContain('priority: 7')
  expect((await run('plan', '-f', 'cluster.yaml', '--detailed-exitcode')).code).toBe(EXIT.done)
})

test.each([
  [
    'an unknown key',
    'groups:\n  web:\n    priorty: 3\n',
    'web.priorty: there is no such key here',
    3,
  ],
  ['no YAML', 'groups: {\n', 'bad.yaml:', 2],
  [
    'a time without a unit',
    'groups: { web: { failoverPeriod: 6 } }\n',
    'bad.yaml:1:18: groups.web.failoverPeriod',
    1,
  ],
  [
    'a time zone that does not exist',
    'groups:\n  web:\n    failback: 22:00-04:00@Mars/Olympus\n',
    'bad.yaml:3:5: groups.web.failback',
    3,
  ],
  ['a node that has not joined', 'groups:\n  web:\n    preferredOwners: [n1, n99]\n', 'n99', 3],
  [
    'a property of the wrong type',
    'groups:\n  b:\n    resources:\n      x:\n        type: process\n        properties: { command: relative }\n',
    'bad.yaml:6',
    6,
  ],
])('bad input: %s: exit 2 with line, column and the line itself', async (_, text, says, line) => {
  write('bad.yaml', text)
  const said = await run('plan', '-f', 'bad.yaml')
  expect(said.code, said.stdout).toBe(EXIT.usage)
  expect(said.stderr).toContain(says)
  expect(said.stderr).toMatch(new RegExp(`^(?:  why: )? *${line} \\|`, 'm'))
})

test('bad input: aliases of aliases are refused before they are millions', async () => {
  const levels = Array.from({ length: 9 }, (_, n) => {
    const above = n === 0 ? 'x' : `*l${n - 1}`
    return `l${n}: &l${n} [${Array.from({ length: 10 }, () => above).join(', ')}]`
  })
  write('bomb.yaml', `${levels.join('\n')}\n`)
  const begun = performance.now()
  const said = await run('plan', '-f', 'bomb.yaml')
  expect(said.code).toBe(EXIT.usage)
  expect(said.stderr).toMatch(/alias/i)
  expect(performance.now() - begun).toBeLessThan(20_000)
})

test('simulate apply: what would happen, and nothing does', async () => {
  write(
    'sim.yaml',
    'groups: { web: { resources: { nginx: { type: process, properties: { command: /x }, state: offline } } } }\n',
  )
  const said = await run('simulate', 'apply', '-f', 'sim.yaml')
  expect([EXIT.done, EXIT.problems], said.stderr).toContain(said.code)
  expect((await run('group', 'show', 'web')).code).toBe(EXIT.done)
})
