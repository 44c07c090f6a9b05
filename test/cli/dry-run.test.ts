/** `--dry-run` and `--if-match` of every command that writes (issue 7.3), against a real control plane. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { createClient, dryRunOf } from '../../schema/api/client.ts'
import { RealCluster } from './real-cluster.ts'
import { runCli } from './run-cli.ts'

let real: RealCluster
beforeAll(async () => {
  real = await RealCluster.start({ accounts: { SIGN_UP: 'open', MAIL: 'console' } })
  await real.online('web', ['http'])
}, 60_000)
afterAll(() => real?.stop())

const cli = (line: string) => runCli(line.split(' '), { env: real.env })
const seq = async () => (await real.view()).seq

test.each([
  ['group create db', '+ group db'],
  ['group change web --priority 7', 'priority: null → 7'],
  ['offline web', 'persistentState: 1 → 0'],
  ['resource delete http --yes', '[GROUP_ONLINE]'],
  ['move web --to n2', '~ group web'],
  ['node pause n2', 'paused: false → true'],
  ['rule create apart --keep-apart web,web', '[BAD_REQUEST]'],
  ['key create ci --scope read', '+ key ci'],
  ['token create', '+ joinToken'],
  ['cluster create other', '+ cluster other'],
  ['member invite eva@example.com --role viewer', '+ invitation'],
])('%s --dry-run: says it, and nothing is changed', async (line, said) => {
  const before = await real.view()
  const done = await cli(`${line} --dry-run`)
  if (done.code === EXIT.done) expect(done.stdout).toMatch(/^nothing was changed; this would be/)
  expect(done.stdout + done.stderr).toContain(said)
  const after = await real.view()
  expect({ ...after, nowMs: 0, nodes: [], managers: [] }).toEqual({
    ...{ ...before, nowMs: 0, nodes: [], managers: [] },
  })
  expect((await real.api('listClusters')).clusters).toHaveLength(1)
  expect(JSON.stringify(await real.api('listKeys'))).not.toContain('"ci"')
})

test('nobody is asked whether they are sure, and --json is the answer of the API', async () => {
  const done = await cli('node evict n2 --dry-run --json')
  const text = done.stdout || done.stderr
  expect(text).not.toContain('nobody can be asked')
  const json = await cli('group create db --dry-run --json')
  expect(JSON.parse(json.stdout)).toMatchObject({ dryRun: true, changes: [{ table: 'group' }] })
})

test('what cannot be tried is refused, and not done', async () => {
  const rotated = await cli('account forgot ana@example.com --dry-run')
  expect(rotated).toMatchObject({ code: EXIT.usage })
  expect(rotated.stderr).toContain('this cannot be tried without being done')
  expect(real.mails.filter((mail) => mail.includes('ana@'))).toEqual([])
})

test.each([
  ['/v1/clusters/{cluster}/groups --body {"name":"raw"}', EXIT.done, '"dryRun":true'],
  ['/v1/auth/logout', EXIT.notAllowed, 'error'],
  ['/v1/clusters/{cluster}/webhooks', EXIT.notFound, 'error'],
])('a call of any path: api POST %s', async (call, code, said) => {
  const before = await seq()
  const done = await cli(`api POST ${call} --dry-run`)
  expect(done.code, done.stderr).toBe(code)
  expect(done.stdout + done.stderr).toContain(said)
  expect(await seq()).toBe(before)
})

test('a call of any path on condition', async () => {
  const late = await cli(
    `api PATCH /v1/clusters/{cluster}/groups/web --body {"priority":2} --if-match ${(await seq()) - 1}`,
  )
  expect(late).toMatchObject({ code: EXIT.conflict })
})

test('a login is none that could be tried', async () => {
  expect(await cli('login --dry-run')).toMatchObject({ code: EXIT.usage })
})

test('--if-match: only at the update that was seen; what the command writes next is its own', async () => {
  const seen = await seq()
  const first = await cli(`group create db --if-match ${seen}`)
  expect(first.code, first.stderr).toBe(EXIT.done)
  const late = await cli(`group change db --priority 3 --if-match ${seen}`)
  expect(late).toMatchObject({ code: EXIT.conflict })
  expect(late.stderr).toContain('PRECONDITION_FAILED')
  expect((await cli(`group change db --priority 3 --if-match ${await seq()}`)).code).toBe(0)
  expect((await cli('group change db --priority 3 --if-match now')).code).toBe(EXIT.usage)
})

test('the client: a write that is tried, and one on condition', async () => {
  const { url, key } = real.control
  const params = { cluster: 'prod' }
  const tried = await dryRunOf({ url, key }, 'createGroup', { params, body: { name: 'mail' } })
  expect(tried).toMatchObject({ dryRun: true, changes: [{ name: 'mail', before: null }] })
  const api = createClient({ url, key })
  const late = api('createGroup', {
    params,
    body: { name: 'mail' },
    ifMatch: (tried.seq as number) - 1,
  })
  await expect(late).rejects.toMatchObject({ refusal: { code: 'PRECONDITION_FAILED' } })
  await api('createGroup', { params, body: { name: 'mail' }, ifMatch: tried.seq as number })
})

test('every command that had a --dry-run of its own has it still', async () => {
  const text = readFileSync(new URL('../../docs/maintenance.md', import.meta.url), 'utf8')
  expect(text).toContain('maintenance run --dry-run')
  const off = await cli('maintenance off n1 --dry-run')
  expect(off.stdout + off.stderr).not.toContain('nothing was changed; this would be')
})
