/** `holdfast-probe doctor`: what it finds, what it says to do, and that it changes nothing. */
import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { EXIT_HELP, EXIT_ROWS } from '../../probe/commands/exit-codes.ts'
import type { Check } from '../../probe/host/checks.ts'
import { otherManagers, serviceManager } from '../../probe/host/checks-services.ts'
import { FATAL_EXITS } from '../../probe/host/fatal-exits.ts'
import { UNIT_PATH, unitText } from '../../probe/host/unit.ts'
import { ERRORS } from '../../schema/errors.ts'
import { ProbeUnderTest } from './run-probe.ts'

const probe = new ProbeUnderTest()
beforeAll(() => probe.build())
afterAll(() => probe.end())

const servers: { close(): unknown }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A control plane whose clock is ahead of this machine's by so much. */
async function controlPlane(aheadMs: number | null, body = '{"ok":true,"version":"0.1.0"}') {
  const server = createServer((_, reply) => {
    reply.sendDate = false
    if (aheadMs !== null) reply.setHeader('date', new Date(Date.now() + aheadMs).toUTCString())
    reply.end(body)
  })
  servers.push(server)
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Answer {
  readonly ok: boolean
  readonly problems: number
  readonly checks: (Check & { number: number })[]
}

async function doctor(host: string, url: string) {
  const folders = probe.folders(host)
  const result = await probe.run(['doctor', '--url', url, '--json', ...folders])
  const answer = JSON.parse(result.stdout) as Answer
  const find = (name: string) => answer.checks.find((check) => check.name === name)
  return { ...result, answer, find }
}

function policy(host: string, text: string, mode = 0o644): void {
  mkdirSync(join(probe.folder, host), { recursive: true })
  const path = join(probe.folder, host, 'policy.json')
  writeFileSync(path, text)
  chmodSync(path, mode)
}

test('a numbered list, with what to do below what is not well; and nothing is changed', async () => {
  policy('a', '{ "process": { "commands": ["/usr/sbin/nginx"] } }')
  const url = await controlPlane(0)
  const { answer, find, code } = await doctor('a', url)
  expect(code).toBe(0)
  expect(answer.checks.map((check) => check.number)).toEqual(answer.checks.map((_, i) => i + 1))
  expect(find('host policy')).toMatchObject({
    state: 'ok',
    found: expect.stringContaining('nginx'),
  })
  for (const check of answer.checks)
    if (check.state === 'problem' || check.state === 'warning') expect(check.fix).toBeTruthy()
  expect(readdirSync(join(probe.folder, 'a'))).toEqual(['policy.json'])
  const text = await probe.run(['doctor', '--url', url, ...probe.folders('a')])
  expect(text.stdout).toMatch(/^ 1 . state folder /m)
  expect(text.stdout).toMatch(/\n0 problems, \d+ warnings?\n$/)
})

test('the host policy: missing, damaged, open to others, unknown words', async () => {
  const url = await controlPlane(0)
  expect((await doctor('b0', url)).find('host policy')?.state).toBe('warning')
  policy('b1', '{ "process": ')
  policy('b2', '{}', 0o666)
  policy('b3', '{ "proces": {} }')
  for (const host of ['b1', 'b2', 'b3']) {
    const { find, code } = await doctor(host, url)
    expect(find('host policy'), host).toMatchObject({ state: 'problem' })
    expect(code).toBe(3)
  }
})

test('the clock: by the turn of the second that the control plane names', async () => {
  policy('c', '{}')
  expect((await doctor('c', await controlPlane(0))).find('clock')?.state).toBe('ok')
  const found = (await doctor('c', await controlPlane(600))).find('clock')
  expect(found).toMatchObject({ state: 'warning', fix: expect.stringContaining('Logs') })
  const [, offset, about] = /^(-\d+) ms .* give or take (\d+) ms/.exec(found?.found ?? '') ?? []
  expect(Number(offset)).toBeGreaterThan(-600 - Number(about) - 5)
  expect(Number(offset)).toBeLessThan(-600 + Number(about) + 5)
  expect((await doctor('c', await controlPlane(null))).find('clock')?.state).toBe('info')
})

test('UNAVAILABLE, or something else that answers there', async () => {
  policy('d', '{}')
  const { find, code } = await doctor('d', 'http://127.0.0.1:9')
  expect(find('control plane')?.state).toBe('problem')
  expect(code).toBe(3)
  const portal = await doctor('d', await controlPlane(0, '<html>Log in</html>'))
  expect(portal.find('control plane')?.found).toContain('no control plane')
})

test('STATE_FOLDER: a folder that others may write, a key that others may read', async () => {
  policy('e', '{}')
  const url = await controlPlane(0)
  const state = join(probe.folder, 'e', 'state')
  mkdirSync(state)
  chmodSync(state, 0o777)
  expect((await doctor('e', url)).find('state folder')).toMatchObject({
    ...{ state: 'problem', fix: `chmod go-w ${state}` },
  })
  chmodSync(state, 0o755)
  expect((await doctor('e', url)).find('state folder')?.fix).toBe(`chmod 700 ${state}`)
  expect(statSync(state).mode & 0o777).toBe(0o755)
})

/** The root of a host with these files. */
function rootWith(name: string, files: Record<string, string>): string {
  const root = join(probe.folder, name)
  for (const [path, text] of Object.entries({ 'run/systemd/system/none.conf': '', ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

const looked = (root: string) => ({
  ...{ root, state: '/s', run: '/r', policy: '/p', guard: null },
  network: { url: null, seen: null },
})

test('A6: the unit has to be there, enabled, and bring the guard back', () => {
  expect(serviceManager(looked(join(probe.folder, 'none'))).found).toContain('not systemd')
  expect(serviceManager(looked(rootWith('r1', {}))).found).toContain('stays dead')
  const unit = unitText(['/usr/bin/node', 'probe.js', 'run'])
  const root = rootWith('r2', { [UNIT_PATH]: unit })
  expect(serviceManager(looked(root)).found).toContain('not enabled')
  const wants = join(root, 'etc/systemd/system/multi-user.target.wants')
  mkdirSync(wants)
  symlinkSync('../holdfast-probe.service', join(wants, 'holdfast-probe.service'))
  expect(serviceManager(looked(root)).state).toBe('ok')
  writeFileSync(join(root, UNIT_PATH), unit.replace('Restart=always', 'Restart=no'))
  expect(serviceManager(looked(root))).toMatchObject({ state: 'warning' })
})

test('S-88: a unit that would restart, or start, what the cluster keeps', () => {
  const nginx = '[Service]\nExecStart=/usr/sbin/nginx -g "daemon off;"\n'
  const unit = 'usr/lib/systemd/system/nginx.service'
  const allowed = { process: { commands: ['/usr/sbin/nginx'] } }
  const look = (name: string, files: Record<string, string>) =>
    otherManagers(looked(rootWith(name, files)), allowed)
  expect(look('s1', { [unit]: `${nginx}Restart=on-failure\n` })).toMatchObject({
    ...{ state: 'warning', fix: 'systemctl disable --now nginx.service' },
    found: expect.stringContaining('nginx.service restarts /usr/sbin/nginx'),
  })
  const wanted = 'etc/systemd/system/multi-user.target.wants/nginx.service'
  expect(look('s2', { [unit]: nginx, [wanted]: nginx })?.found).toContain('at boot')
  expect(look('s3', { [unit]: `${nginx}Restart=no\n` })?.state).toBe('ok')
  expect(look('s4', { [unit]: '[Service]\nExecStart=/bin/other\nRestart=always\n' })?.state).toBe(
    'ok',
  )
})

test('every exit code has its row, and those after which run is not started again are named', () => {
  const rows = EXIT_ROWS.map((row) => row.exit)
  for (const { exit } of Object.values(ERRORS)) expect(rows).toContain(exit)
  for (const exit of FATAL_EXITS) expect(rows).toContain(exit)
  expect(EXIT_HELP).toContain(`After ${FATAL_EXITS.join(', ')} a service manager must not`)
})

test('a mistyped command: what was meant, exit code 2, and one document with --json', async () => {
  const wrong = await probe.run(['docter', '--json'])
  expect(wrong.code).toBe(2)
  expect(JSON.parse(wrong.stdout).error).toMatchObject({ code: 'USAGE' })
  expect(wrong.stderr).toContain('did you mean doctor?')
  const help = await probe.run(['--help'])
  expect(help.code).toBe(0)
  expect(help.stdout).toContain('Exit codes:')
})
