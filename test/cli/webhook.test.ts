/** `holdfast webhook` against a real control plane, whose webhooks may point to loopback, and a real receiver. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { WEBHOOK_EVENTS } from '../../schema/webhook-events.ts'
import { type HeardHook, HookReceiver } from './hook-receiver.ts'
import { RealCluster } from './real-cluster.ts'
import { runCli } from './run-cli.ts'

let real: RealCluster
const receiver = new HookReceiver()

beforeAll(async () => {
  await receiver.start()
  real = await RealCluster.start()
}, 60_000)
afterAll(async () => {
  await real?.stop()
  receiver.close()
})

const hook = () => receiver.url
const webhook = (line: string) => runCli(['webhook', ...line.split(' ')], { env: real.env })

const SECRET = /^whsec_[A-Za-z0-9+/]{43}=\n$/

test('the secret alone is the data; what is sent is signed with it, and by both while they overlap', async () => {
  const made = await webhook(`create signed --target ${hook()}`)
  expect(made).toMatchObject({ code: EXIT.done, stdout: expect.stringMatching(SECRET) })
  expect(made.stderr).toContain('shown once')
  const rotated = await webhook('rotate signed --overlap 1h')
  expect(rotated).toMatchObject({ code: EXIT.done, stdout: expect.stringMatching(SECRET) })

  receiver.heard = []
  const tested = await webhook('test signed')
  expect(tested).toMatchObject({ code: EXIT.done, stdout: expect.stringMatching(/^delivered: /) })
  expect(receiver.heard).toHaveLength(1)
  const [{ headers, body }] = receiver.heard as [HeardHook]
  for (const secret of [made.stdout, rotated.stdout])
    expect(new Webhook(secret.trim()).verify(body, headers)).toMatchObject({
      ...{ type: 'webhook.test', cluster: null, sequence: 0 },
    })

  const again = await webhook('rotate signed --overlap 0s')
  receiver.heard = []
  await webhook('test signed')
  const [last] = receiver.heard as [HeardHook]
  const verify = (secret: string) => new Webhook(secret.trim()).verify(last.body, last.headers)
  expect(verify(again.stdout)).toBeTypeOf('object')
  expect(() => verify(rotated.stdout)).toThrow('No matching signature')
})

test('made ready for PagerDuty and Slack: the secret comes from a file, and is shown nowhere', async () => {
  const key = 'R0123456789abcdef0123456789abcde'
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-secret-'))
  writeFileSync(join(folder, 'key'), `${key}\n`)
  writeFileSync(join(folder, 'url'), `${hook()}services/very-secret-path\n`)
  const [keyFile, urlFile] = [join(folder, 'key'), join(folder, 'url')]
  // The receiver plays both: what they answer is documented, and not looked at but for its status.
  receiver.status = 202
  const made = await webhook(
    `create pd --kind pagerduty --secret-file ${keyFile} --target ${hook()}v2/enqueue`,
  )
  expect(made).toMatchObject({ code: EXIT.done, stdout: expect.stringContaining('(pagerduty)') })
  const chat = await webhook(`create chat --kind slack --secret-file ${urlFile}`)
  expect(chat.code).toBe(EXIT.done)
  receiver.heard = []
  for (const name of ['pd', 'chat'])
    expect((await webhook(`test ${name}`)).stdout).toMatch(/^delivered: answered 202/)
  receiver.status = 204
  const [first, second] = receiver.heard.map(({ body }) => JSON.parse(body))
  expect(first).toMatchObject({ routing_key: key, event_action: 'trigger' })
  expect(second).toMatchObject({ text: expect.stringContaining('a test of Holdfast') })
  writeFileSync(keyFile, key.replace('R', 'S'))
  const changed = await webhook(`change pd --secret-file ${keyFile}`)
  expect(changed.code).toBe(EXIT.done)
  const listed = await webhook('list')
  expect(listed.stdout).toMatch(/^pd +pagerduty +http:/m)
  expect(listed.stdout).toMatch(/^chat +slack +http:\/\/127\.0\.0\.1:\d+\/… /m)
  const said = [made, chat, changed, listed].map((one) => one.stdout + one.stderr).join()
  expect(said).not.toMatch(/[RS]0123456789abcdef|very-secret-path/)
  expect((await webhook('rotate pd')).code).toBe(EXIT.usage)
  const wrong = await webhook(`create mail --kind email --target ${hook()} --to a@example.com`)
  expect(wrong.code).toBe(EXIT.usage)
  rmSync(folder, { recursive: true })
})

test('a test that is not delivered says why, and ends with the code of what did not go as wished', async () => {
  await webhook(`create failing --target ${hook()}`)
  receiver.status = 503
  const human = await webhook('test failing')
  const json = await webhook('test failing --json')
  receiver.status = 204
  expect(human.code).toBe(EXIT.problems)
  expect(human.stdout).toMatch(/^NOT delivered: answered 503 \(\d+ ms\)\n$/)
  expect(json.code).toBe(EXIT.problems)
  expect(JSON.parse(json.stdout)).toMatchObject({ delivered: false, status: 503 })
})

test('what it tells is set, widened again, and shown; off and on', async () => {
  await webhook(
    `create narrow --target ${hook()} --type node.up --type node.down --only-cluster prod --group web`,
  )
  const row = async () =>
    (await webhook('list')).stdout.split('\n').find((line) => line.startsWith('narrow'))
  expect(await row()).toMatch(/node\.up,node\.down of prod about web {2}on$/)
  const changed = await webhook('change narrow --all-types --all-clusters --all-groups --off')
  expect(changed.stdout).toMatch(/tells everything, off since \S+: switched off by operator\n$/)
  expect(await row()).toMatch(/everything {2}off since /)
  expect((await webhook('change narrow --type group.waiting --on')).stdout).toMatch(
    /tells group\.waiting, on\n$/,
  )
})

test('what contradicts itself is refused, and a target that is none; a type that is not known gets the nearest', async () => {
  for (const line of [
    'change narrow --on --off',
    'change narrow --all-types --type node.up',
    'change narrow --all-clusters --only-cluster prod',
    'change narrow --all-groups --group web',
  ])
    expect((await webhook(line)).code).toBe(EXIT.usage)
  const target = await webhook('create elsewhere --target ftp://example.com/')
  expect(target.code).toBe(EXIT.usage)
  expect(target.stderr).toContain('WEBHOOK_TARGET_REFUSED')
  const near = await webhook(`create near --target ${hook()} --type node.dwon`)
  expect(near.code).toBe(EXIT.usage)
  expect(near.stderr).toContain('Did you mean node.down?')
})

test('what was missed is recovered, listed and replayed', async () => {
  await webhook(`create late --target ${hook()}`)
  receiver.heard = []
  const recovered = await webhook('recover late --since 1h')
  const many = Number(/^(\d+) since/.exec(recovered.stdout)?.[1])
  // Two hosts have joined, and are up.
  expect(many).toBeGreaterThanOrEqual(4)
  await expect.poll(() => receiver.heard.length).toBe(many)
  const { deliveries } = JSON.parse((await webhook('deliveries late --json')).stdout)
  expect(deliveries).toHaveLength(many)
  const sequences = receiver.heard.map(({ body }) => JSON.parse(body).sequence)
  expect(sequences).toEqual([...sequences].sort((a, b) => a - b))

  await expect
    .poll(async () => (await webhook('recover late --since 1h')).stdout)
    .toMatch(/^nothing is missing since /)

  const [newest] = deliveries
  receiver.heard = []
  const replayed = await webhook(`replay late ${newest.message}`)
  expect(replayed.stdout).toBe(`message ${newest.message} is sent again\n`)
  await expect.poll(() => receiver.heard.length).toBe(1)
  expect(receiver.heard[0]?.headers['webhook-id']).toBe(newest.message)
  await expect
    .poll(async () => (await webhook('deliveries late --state delivered --limit 1')).stdout)
    .toMatch(new RegExp(`\n${newest.message} .* delivered .*answered 204\n$`))
})

test('the types are known without a control plane', async () => {
  const { code, stdout } = await runCli(['webhook', 'types', '--json'])
  expect(code).toBe(EXIT.done)
  const { types } = JSON.parse(stdout)
  expect(types.map((one: { type: string }) => one.type)).toEqual(Object.keys(WEBHOOK_EVENTS))
})

test('deleting asks first', async () => {
  await webhook(`create gone --target ${hook()}`)
  expect((await webhook('delete gone')).code).toBe(EXIT.usage)
  expect((await webhook('delete gone --yes')).stdout).toBe('webhook gone deleted\n')
  expect((await webhook('test gone')).code).toBe(EXIT.notFound)
})
