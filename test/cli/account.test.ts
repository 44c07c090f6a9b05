/** Login, logout and members as a person types them, against a real control plane. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newOwnerToken } from '../../demo/accounts.ts'
import { type ControlPlane, startControlPlane } from '../../demo/control-plane.ts'
import { createClient } from '../../schema/api/client.ts'
import { logIn } from './real-people.ts'
import { runCli } from './run-cli.ts'

const PASSWORD = 'a long enough password'
let folder: string
let control: ControlPlane
const start = async () => {
  control = await startControlPlane({ folder: join(folder, 'control'), port: 0 })
}
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-account-'))
  await start()
}, 60_000)
afterAll(async () => {
  await control?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const api = (key?: string) => createClient({ url: control.url, key })
const config = () => join(folder, 'holdfast/config.json')
const cli = (line: string, env: Record<string, string> = {}) =>
  runCli(line.split(' '), { env: { XDG_CONFIG_HOME: folder, ...env } })
let owner = ''

const logInAs = (approve: boolean) =>
  logIn(['login', '--url', control.url], { XDG_CONFIG_HOME: folder }, (code) =>
    api(owner)('decideDevice', { body: { code, approve } }),
  )

test('the first start has an owner link, which is good once; the next has none', async () => {
  const link = new URL(control.ownerLink ?? '')
  expect(link.origin).toBe(control.url)
  const token = link.hash.replace('#register=', '')
  const body = { token, email: 'owner@example.com', name: 'Olga', password: PASSWORD }
  owner = (await api()('register', { body })).token
  await expect(api()('register', { body: { ...body, email: 'eve@example.com' } })).rejects.toThrow(
    'this token is not valid',
  )
  expect(await api(owner)('whoami')).toMatchObject({
    ...{ kind: 'person', role: 'owner', organisation: { name: 'default' } },
  })
  // Whatever was there before belongs to the organisation of the operator's key.
  await api(control.key)('createCluster', { body: { name: 'prod' } })
  expect((await api(owner)('listClusters')).clusters).toMatchObject([{ name: 'prod' }])
  await control.stop()
  await start()
  expect(control.ownerLink).toBe(null)
  expect(await api(owner)('whoami')).toMatchObject({ name: 'owner@example.com' })
  expect(statSync(join(folder, 'control/auth-secret')).mode & 0o777).toBe(0o600)
})

test('login keeps a session that only its user can read; whoami, logout', async () => {
  const { code, stderr } = await logInAs(true)
  expect(code, stderr).toBe(0)
  expect(stderr).toContain(`${control.url}/account#device=`)
  expect(statSync(config()).mode & 0o777).toBe(0o600)
  const { key, url } = JSON.parse(readFileSync(config(), 'utf8'))
  expect([url, key]).toEqual([control.url, expect.stringMatching(/^hfs_/)])
  const me = await cli('whoami')
  expect(me.stdout).toMatch(/^person +owner@example\.com\norganisation +default\nrole +owner\n/)
  expect((await cli('session list')).stdout).toContain('this one')
  expect(await cli('logout')).toMatchObject({ code: 0, stdout: 'logged out\n' })
  await expect(api(key)('whoami')).rejects.toThrow('this session is not valid')
  expect((await cli('whoami')).code).toBe(2)
})

test('a login that is refused leaves nothing', async () => {
  expect(await logInAs(false)).toMatchObject({ code: 6 })
  expect(() => statSync(config())).toThrow('ENOENT')
})

test('an account by the command line alone, from the owner link on', async () => {
  const again = { folder: join(folder, 'other'), port: 0 }
  const other = await startControlPlane(again)
  try {
    const token = join(folder, 'owner-token')
    writeFileSync(token, `${other.ownerLink?.split('=')[1]}\n`)
    const password = join(folder, 'password')
    writeFileSync(password, `${PASSWORD}\n`)
    const env = { HOLDFAST_URL: other.url }
    const files = `--token-file ${token} --password-file ${password}`
    const line = `account register --name Olga --address Olga@Example.com ${files}`
    const done = await cli(line, env)
    expect(done.stdout, done.stderr).toBe(`olga@example.com is logged in at ${other.url}\n`)
    expect(await cli('whoami')).toMatchObject({
      stdout: expect.stringContaining('role          owner'),
    })
    expect(done.stdout + done.stderr).not.toMatch(/hf[a-z]_/)
    expect(await cli(line, env)).toMatchObject({ code: 6 })
    expect(await cli('account sign-up eve@example.com', env)).toMatchObject({ code: 6 })
  } finally {
    await other.stop()
    rmSync(config(), { force: true })
  }
})

test('an invitation from hand to hand: no mail is sent here', async () => {
  const env = { HOLDFAST_URL: control.url, HOLDFAST_API_KEY: owner }
  const invited = await cli('member invite ben@example.com --grant viewer:prod', env)
  expect(invited.stderr).toContain('No mail is sent here')
  expect(invited.stderr).toContain('Sign-up is closed')
  const token = invited.stdout.trim()
  expect(token).toMatch(/^hfi_/)
  // Closed: an account is made by nobody, and who has one accepts.
  const body = { token, name: 'Ben', password: PASSWORD }
  await expect(api()('register', { body })).rejects.toThrow('invitations are only for those')
  const wrong = join(folder, 'token')
  writeFileSync(wrong, `${token}\n`)
  // It is of another address than that of who has the session.
  expect(await cli(`member accept --token-file ${wrong}`, env)).toMatchObject({ code: 6 })
  const listed = await cli('member list', env)
  expect(listed.stdout).toMatch(/owner@example\.com +Olga +owner/)
  expect(listed.stdout).toMatch(/ben@example\.com +\(invited\) +viewer:prod/)
})

test('owner tokens say how long they are good, and are never the same', () => {
  const [one, two] = [newOwnerToken(0), newOwnerToken(0)]
  expect(one).not.toBe(two)
  expect(Number.parseInt(one.split('_')[1] ?? '', 36)).toBe(24 * 3_600)
})

test('every command of docs/accounts.md is one, with the options that it is given there', async () => {
  const text = readFileSync(new URL('../../docs/accounts.md', import.meta.url), 'utf8')
  const lines = [...text.matchAll(/^holdfast (.+?)(?: +#.*)?$/gm)].map(([, line]) => line ?? '')
  expect(lines.length).toBeGreaterThan(12)
  for (const line of lines) {
    const words = line.split(' ').filter((word) => /^[a-z-]+$/.test(word))
    const command = words
      .slice(0, /^(account|member|org|second-factor|session) /.test(line) ? 2 : 1)
      .join(' ')
    const help = await cli(`${command} --help`)
    expect(help.stdout, line).toContain(`Usage: holdfast ${command}`)
    const globals = (await cli('--help')).stdout
    for (const option of line.match(/--[a-z-]+/g) ?? [])
      expect(help.stdout + globals, line).toContain(option)
  }
})
