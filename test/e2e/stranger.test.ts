/**
 * The service as a stranger meets it (issue 7): from an empty state, by the two commands alone. Somebody signs up,
 * makes an organisation, a key and a cluster, three hosts join, a group runs, a host dies, a webhook tells of it, and
 * a colleague may look and not move.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { type ControlPlane, startControlPlane } from '../../demo/control-plane.ts'
import { DemoHost } from '../../demo/host.ts'
import type { WebhookData } from '../../schema/webhook-events.ts'
import { bundleProbe } from '../../tools/bundle-probe.ts'
import { BIN } from '../cli/run-cli.ts'
import { Receiver } from '../webhooks/receiver.ts'
import { eventually } from './demo.ts'
import { Mailbox } from './mailbox.ts'

const [ANA, EVE] = ['ana@example.com', 'eve@example.com']
const MAIL_TOKEN = 'of-the-mail-sender'
let folder: string
let mailbox: Mailbox
let receiver: Receiver
let control: ControlPlane
const hosts: DemoHost[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-stranger-'))
  mailbox = await Mailbox.start()
  receiver = await Receiver.start()
  control = await startControlPlane({
    ...{ folder: join(folder, 'control'), port: 0, rateFactor: 1 },
    accounts: { SIGN_UP: 'open', MAIL: mailbox.url, MAIL_WEBHOOK_TOKEN: MAIL_TOKEN },
  })
}, 60_000)
afterAll(async () => {
  for (const host of hosts) host.powerCut()
  await control?.stop()
  await receiver?.close()
  await mailbox?.close()
  rmSync(folder, { recursive: true, force: true })
})

const file = (name: string, text: string) => {
  const path = join(folder, name)
  writeFileSync(path, `${text}\n`, { mode: 0o600 })
  return path
}

/** Of one person, with a home of their own; what it cannot do ends the test. */
async function as(person: string, line: string, more: Record<string, string> = {}) {
  const home = join(folder, person)
  mkdirSync(home, { recursive: true })
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, HOLDFAST_URL: control.url, ...more }
  const child = spawn(process.execPath, [BIN, ...line.split(' ')], { env, cwd: home })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => (stdout += text))
  child.stderr.on('data', (text) => (stderr += text))
  child.stdin.end()
  const code = await new Promise<number | null>((done) => child.once('close', done))
  return { code, stdout, stderr }
}

async function done(person: string, line: string, more?: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await as(person, line, more)
  expect(code, `${line}\n${stdout}${stderr}`).toBe(0)
  return stdout
}

async function signUp(person: string, email: string, ask: () => Promise<unknown>) {
  const sent = mailbox.mails.length
  await ask()
  await eventually(`a mail to ${email}`, () => mailbox.mails.length > sent)
  const token = file(`${person}-token`, await mailbox.token(email))
  const password = file(`${person}-password`, `${person} has a long password`)
  const files = `--token-file ${token} --password-file ${password}`
  return done(person, `account register --name ${person} ${files}`)
}

test('from nothing to a failover that is told, and a colleague who may not move', async () => {
  // Somebody whom nobody knows; what their mail says lets them in.
  expect((await as('Ana', 'status')).code).not.toBe(0)
  const said = await signUp('Ana', ANA, () => done('Ana', `account sign-up ${ANA}`))
  expect(said).toContain(`${ANA} is logged in`)
  expect(mailbox.presented).toEqual([`Bearer ${MAIL_TOKEN}`])
  await done('Ana', 'org create acme')
  expect(await done('Ana', 'whoami')).toMatch(/organisation +acme\nrole +owner/)

  // A key for programs, a cluster, and hosts that join it with a token.
  const key = JSON.parse(await done('Ana', 'key create ci --scope operate --json')).key as string
  await done('Ana', 'cluster create prod --profile standard')
  const prod = { HOLDFAST_CLUSTER: 'prod' }
  const { token } = JSON.parse(await done('Ana', 'token create --uses 3 --json', prod)) as {
    token: string
  }
  const { probe } = await bundleProbe(join(folder, 'dist'))
  const policy = { process: { commands: ['/bin/sleep'] } }
  for (const name of ['n1', 'n2', 'n3']) {
    const host = new DemoHost({ name, folder: join(folder, name), probe, policy })
    hosts.push(host)
    expect(await host.join(control.url, token)).toBe(true)
    host.start()
  }
  for (const { name } of hosts) await done('Ana', `wait ${name} --for up --timeout 30s`, prod)

  // A group, and who is told of it.
  await done('Ana', 'group create web', prod)
  const sleep = 'resource create http --group web --type process --command /bin/sleep --arg=100000'
  await done('Ana', sleep, prod)
  await done('Ana', 'online web', prod)
  const hook = `webhook create pager --target ${receiver.url} --type group.failover.completed --json`
  receiver.secret = (JSON.parse(await done('Ana', hook)) as { secret: string }).secret

  // The host of the group dies.
  const ownerOf = async () => {
    const { groups } = JSON.parse(await done('Ana', 'status --json', prod)) as {
      groups: { name: string; owner: string | null; state: string }[]
    }
    return groups.find((one) => one.name === 'web')
  }
  const before = (await ownerOf())?.owner
  hosts.find((one) => one.name === before)?.powerCut()
  await receiver.until(() => receiver.accepted.length > 0, 60_000)
  const [event] = receiver.accepted
  expect(event).toMatchObject({ type: 'group.failover.completed' })
  const data = event?.data as WebhookData<'group.failover.completed'>
  expect(data).toMatchObject({ from: before, group: expect.objectContaining({ name: 'web' }) })
  expect((await ownerOf())?.owner).toBe(data.to)

  // A colleague looks on, and may not move it; nor does the group move.
  await signUp('Eve', EVE, () => done('Ana', `member invite ${EVE} --role viewer`))
  expect(await done('Eve', 'status', prod)).toContain('web')
  expect(await as('Eve', 'move web', prod)).toMatchObject({ code: EXIT.notAllowed })
  expect((await ownerOf())?.owner).toBe(data.to)
  // The program may, with its key.
  await done('ci', 'move web', { ...prod, HOLDFAST_API_KEY: key })
  expect((await ownerOf())?.owner).not.toBe(data.to)
}, 180_000)
