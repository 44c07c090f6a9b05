/**
 * The contract of the command line, for every command there is, against a real control plane:
 * `--json` gives one JSON document on stdout (JSON Lines where it goes on) whether it succeeds or
 * fails; without it a failure leaves stdout empty and says its four parts on stderr; exit codes are
 * the table's.
 */

import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Runner } from '../../cli/command.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { makeProgram } from '../../cli/program.ts'
import { tinyDomainXml } from '../../demo/vm/domain.ts'
import { RealCluster } from './real-cluster.ts'
import { PEOPLE_LINES, People } from './real-people.ts'
import { type CliResult, runCli, runCliProcess, surroundings } from './run-cli.ts'
import { DELIVERY_LINES, WEBHOOK_LINES } from './webhook-lines.ts'

let real: RealCluster
let people: People
/** Takes every webhook. */
const receiver = createServer((_, response) => void response.writeHead(204).end())
beforeAll(async () => {
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done))
  real = await RealCluster.start({ accounts: { SIGN_UP: 'open', MAIL: 'console' } })
  people = await People.of(real)
  await real.online('web', ['nginx', 'app'])
  await real.online('db', ['pg'])
  // Its host has never reported: it is down.
  await real.join('n3')
  await real.lost('n4')
  const [image, serialLog] = ['/vm/box.img', '/vm/box.log']
  writeFileSync(join(real.folder, 'box.xml'), tinyDomainXml({ name: 'box', image, serialLog }))
  writeFileSync(
    join(real.folder, 'cib.xml'),
    '<cib><configuration><resources><primitive id="ip" class="ocf" provider="heartbeat" type="Dummy"/></resources></configuration></cib>',
  )
  writeFileSync(join(real.folder, 'cluster.yaml'), 'groups: { coded: { priority: 3 } }\n')
  const { port } = receiver.address() as AddressInfo
  writeFileSync(join(real.folder, 'hook-url'), `http://127.0.0.1:${port}/ping`)
}, 60_000)
afterAll(async () => {
  await real?.stop()
  receiver.close()
})

interface Case {
  /** Command line that succeeds; words are separated by spaces. It is run first. */
  readonly ok: string
  /** One that fails, with its exit code. */
  readonly fails: string
  readonly code: number
  /** It goes on until it is stopped: JSON Lines. */
  readonly goesOn?: true
}

const of = (ok: string, fails: string, code: number): Case => ({ ok, fails, code })
const on = (ok: string, fails: string, code: number): Case => ({ ok, fails, code, goesOn: true })

const { usage, notFound, conflict, refused, unexpected } = EXIT

/** A window that opens in six hours: it takes no group back while this runs. */
function windowLater(): string {
  const hour = (ahead: number) => `${(new Date().getUTCHours() + ahead) % 24}`.padStart(2, '0')
  return `${hour(6)}:00-${hour(7)}:00@Etc/UTC`
}

const SCENARIO = fileURLToPath(new URL('../scenarios/files/host-lost.yaml', import.meta.url))

/** In this order: later ones build upon earlier ones. */
const CASES: readonly Case[] = [
  of('status --wide', 'status --cluster nosuch', notFound),
  of('status web', 'status nosuch', notFound),
  of('status n1', 'status --color pink', usage),
  on('status --watch', 'status --watch --cluster nosuch', notFound),
  of('why web', 'why nosuch', notFound),
  of('replay --since 1h --set isAliveMs=2000', 'replay --since 1h --set isAlive=2000', usage),
  of('timeline last web', 'timeline u99999', notFound),
  of('why node/n1', 'why node/web', notFound),
  of('why web --on n1', 'why web --at 365d', notFound),
  of('why nginx', 'why', usage),
  of('describe cluster', 'describe cluster nosuch', notFound),
  of('describe group web', 'describe group nosuch', notFound),
  of('describe node n1', 'describe node', usage),
  of('describe resource nginx', 'describe thing nginx', usage),
  of('describe type process', 'describe type proces', notFound),
  of('events --since 1h', 'events --since yesterday', usage),
  on('events --follow --after 0', 'events --follow --cluster nosuch', notFound),
  of('log --node control --since 1h --component fm', 'log --resource nosuch', notFound),
  of('log --group web --resource nginx', 'log --until noon', usage),
  on('log -f', 'log -f --group nosuch', notFound),
  of('cluster list', 'cluster list extra', usage),
  of('cluster create other --profile fast', 'cluster create prod', conflict),
  of('cluster backup prod --out @BACKUP@', 'cluster backup nosuch', notFound),
  of('cluster restore @BACKUP@ --as prod2', 'cluster restore @CONFIG@ --as prod3', usage),
  of('cluster delete prod2 --yes', 'cluster delete nosuch --yes', notFound),
  of('cluster health prod', 'cluster health nosuch', notFound),
  of('cluster publish prod --group web', 'cluster publish prod --group nosuch', notFound),
  of('cluster published prod', 'cluster published nosuch', notFound),
  of('cluster unpublish prod --yes', 'cluster unpublish nosuch --yes', notFound),
  of('cluster show prod', 'cluster show nosuch', notFound),
  of('node list --available', 'node list --avail', usage),
  of('node show n1', 'node show n9', notFound),
  of('node pause n2', 'node pause n9', notFound),
  of('node drain n2 --to n1 --deadline 10m', 'node drain n9', notFound),
  of('node resume n2', 'node resume n9', notFound),
  of('cluster change --takeover fence', 'cluster change --takeover hold', usage),
  of('cluster change prod --takeover lease', 'cluster change nosuch --takeover lease', notFound),
  of('fence list', 'fence list extra', usage),
  of(
    'fence add n3 --agent fence_dummy --option plug=3 --helpers n1,n2 --timeout 2s --delay 0s',
    'fence add n3 --agent /bin/sh',
    usage,
  ),
  of('fence test n3 --helper n1', 'fence test n1', refused),
  of('fence confirm n4 --boot boot-n4-1 --yes', 'fence confirm n1 --yes', refused),
  of('fence remove n3 --yes', 'fence remove n9 --yes', notFound),
  of('group list', 'group list extra', usage),
  of('group show web', 'group show nosuch', notFound),
  of('group create cache --preferred-owners n1,n2', 'group create web', conflict),
  of('group change cache --needs mem=2 --priority 5', 'group change cache --needs mem', usage),
  of('group change cache --after db', 'group change db --only-while cache', refused),
  of('group change cache --after=', 'group change cache --after nosuch', notFound),
  of('maintenance on cache --reason disks --for 1h', 'maintenance on cache', usage),
  of('maintenance run --nodes n2 --dry-run', 'maintenance run --nodes n2,n2 --yes', usage),
  of('maintenance show', 'maintenance show --cluster nosuch', notFound),
  of('maintenance off cache --yes', 'maintenance off nosuch --yes', notFound),
  of('node set n2 --capacity mem=8 --fault-domain rack-1', 'node set n9 --capacity none', notFound),
  of('cluster change --placement capacity', 'cluster change', usage),
  of('cluster change --starts-per-node 20', 'cluster change --starts-per-node 0', usage),
  of(
    'rule create near --keep-together web,cache',
    'rule create near --keep-apart web,db',
    conflict,
  ),
  of('rule list', 'rule list --cluster nosuch', notFound),
  of('simulate node-down n2', 'simulate node-down n9', notFound),
  of('simulate partition n1,n2', 'simulate partition n1,n9', notFound),
  of('simulate drain n2', 'simulate drain n9', notFound),
  of('simulate fail web', 'simulate fail nosuch', notFound),
  of('survivability', 'survivability --cluster nosuch', notFound),
  of('simulate move web', 'simulate move nosuch', notFound),
  of('simulate apply -f @CONFIG@', 'simulate apply -f nosuch.yaml', usage),
  of('plan -f @CONFIG@', 'plan', usage),
  of('diff -f @CONFIG@', 'diff -f nosuch.yaml', usage),
  of('apply -f @CONFIG@ --yes', 'apply', usage),
  of('export', 'export --cluster nosuch', notFound),
  of('report -o @REPORT@', 'report --since yesterday', usage),
  of('import pacemaker @CIB@', 'import pacemaker @CONFIG@', usage),
  of(`sim run ${SCENARIO}`, 'sim run nosuch.yaml', usage),
  of('rule delete near --yes', 'rule delete near --yes', notFound),
  of('group change cache --failover-threshold default', 'group change nosuch', notFound),
  of('resource list', 'resource list --wide', usage),
  of('resource types', 'resource types extra', usage),
  of('resource show nginx', 'resource show nosuch', notFound),
  of('resource evidence nginx', 'resource evidence nosuch', notFound),
  of('resource control nginx reload', 'resource control nginx explode', usage),
  of(
    'resource create redis --type process --group cache --command /bin/true --is-alive 1s',
    'resource create x --type process --group cache --command relative',
    usage,
  ),
  of('resource change redis --prop user=www', 'resource change redis --depends-on redis', refused),
  of('resource change app --depends-on (nginx)', 'resource change app --depends-on (nginx', usage),
  of(
    'resource create box --type virtual-machine --group cache --offline --prop domain=box --prop-file xml=@XML@',
    'resource create x --type virtual-machine --group cache --prop domain=x',
    usage,
  ),
  of('vm settings box', 'vm settings nginx', notFound),
  of('vm set box memory=64M cpus=2 boot=sda --dry-run', 'vm set box memory=0', usage),
  of('vm set box memory=64M disk.sda.bus=sata', 'vm set box boot=floppy', usage),
  of('vm set box nic.net0.user=yes', 'vm set box cpus=1 --if-version 0', conflict),
  of('resource delete box --yes', 'resource delete nosuch --yes', notFound),
  of('resource online redis', 'resource online nosuch', notFound),
  of('resource offline redis', 'resource offline nosuch', notFound),
  of('resource delete redis --yes', 'resource delete redis', usage),
  of('group delete cache --yes', 'group delete web --yes', refused),
  of('token create --uses 3 --ttl 2h', 'token create --uses some', usage),
  of('key create ci --scope operate:prod --expires 90d', 'key create ci --scope root', usage),
  of('key list --all', 'key list --none', usage),
  ...WEBHOOK_LINES.map((line) => of(...line)),
  on(
    'webhook listen --forward-to http://127.0.0.1:4/ --after 0',
    'webhook listen --forward-to nowhere',
    usage,
  ),
  ...DELIVERY_LINES.map((line) => of(...line)),
  of('usage', 'usage extra', usage),
  of('usage --since 2d', 'usage --since 900d', usage),
  of('audit list --since 1h --by operator', 'audit list --cluster nosuch', notFound),
  of('audit export --organisation', 'audit export --cluster nosuch', notFound),
  of('audit verify @AUDIT@', 'audit verify @CONFIG@', unexpected),
  of('key rotate ci --overlap 1h', 'key rotate nosuch', notFound),
  of('key revoke ci --yes', 'key revoke operator --yes', refused),
  of('whoami', 'whoami extra', usage),
  ...PEOPLE_LINES.map((line) => of(...line)),
  of('move web --to n2', 'move web --to n2', conflict),
  of('operation list --open --limit 5', 'operation list --limit some', usage),
  of('move web --to n2 --stick 2h --reason trial', 'move web --stick 2h', usage),
  of('group unstick web', 'group unstick nosuch', notFound),
  of('offline db', 'offline nosuch', notFound),
  of('operation show @MOVE@', 'operation show u99999', notFound),
  of('operation watch @MOVE@', 'operation watch web', notFound),
  of('online db', 'online nosuch', notFound),
  of('operation cancel @DRAIN@', 'operation cancel @MOVE@', conflict),
  of('node resume n2', 'node resume n9', notFound),
  of('wait db --for online', 'wait db --for offline --timeout 200ms', EXIT.timeout),
  of('wait n1 --for up', 'wait n1 --for online', usage),
  of('wait web --for on=n2', 'wait web --for on=n9', notFound),
  of(
    `group change web --preferred-owners n1 --failback ${windowLater()}`,
    'group change web --failback 22:00-04:00@Mars/Olympus',
    usage,
  ),
  of('failback web', 'failback db', refused),
  of('failover web', 'failover nosuch', notFound),
  of('hive /Cluster/Resources --version 1', 'hive /Nowhere', notFound),
  of('explain', 'explain nosuch', notFound),
  of('explain resource process.command', 'explain group.nosuch', notFound),
  of('api GET /v1/clusters/{cluster}/nodes', 'api GET /v1/nothing', notFound),
  of(
    'api POST /v1/clusters/{cluster}/groups --body {"name":"made"}',
    'api POST /v1/clusters/{cluster}/groups --body {',
    usage,
  ),
  of('completion bash', 'completion tcsh', usage),
  of('completion zsh', 'completion', usage),
  of('completion fish', 'completion powershell', usage),
  // What a shell calls: it never fails, since nobody would see the error.
  of('complete -- group show w', 'complete --nosuch', usage),
  of('node remove n3 --yes --lost', 'node remove n1', usage),
]

const run = async (
  line: string,
  more: readonly string[] = [],
  env: Record<string, string> = {},
) => {
  // Before the words: what follows `--` belongs to the command.
  const [first = '', ...rest] = (await people.filled(line))
    .replace('@XML@', join(real.folder, 'box.xml'))
    .replace('@CONFIG@', join(real.folder, 'cluster.yaml'))
    .replace('@AUDIT@', line.includes('@AUDIT@') ? await exported() : '')
    .replace('@HOOK@', `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`)
    .replace('@HOOKFILE@', join(real.folder, 'hook-url'))
    .replace('@MESSAGE@', line.includes('@MESSAGE@') ? await lastMessage() : '')
    .replace('@CIB@', join(real.folder, 'cib.xml'))
    .replace('@BACKUP@', join(real.folder, 'prod.backup.jsonl'))
    .replace('@REPORT@', join(real.folder, 'report.json.gz'))
    .replace('@MOVE@', line.includes('@MOVE@') ? await lastMove() : '')
    .replace('@DRAIN@', line.includes('@DRAIN@') ? await openDrain() : '')
    .split(' ')
  const all = { ...real.env, ...people.envOf(line), ...env }
  const args = [first, ...more, ...rest]
  return line === 'login' ? people.logIn(args, all) : runCli(args, { env: all })
}

async function exported(): Promise<string> {
  const path = join(real.folder, 'audit.jsonl')
  writeFileSync(path, (await runCli(['audit', 'export'], { env: real.env })).stdout)
  return path
}

async function lastMove(): Promise<string> {
  const { operations } = await real.api('listOperations', { params: real.params, query: {} })
  return operations.find((one) => one.kind === 'move')?.id ?? ''
}

async function lastMessage(): Promise<string> {
  const params = { ...real.params, webhook: 'ops' }
  const { deliveries } = await real.api('listDeliveries', { params, query: {} })
  return deliveries[0]?.message ?? ''
}

/** One that waits: the other node takes nothing. */
async function openDrain(): Promise<string> {
  const of = (node: string) => ({ params: { ...real.params, node } })
  await real.api('pauseNode', of('n2'))
  return (await real.api('drainNode', of('n1'))).operation ?? ''
}

function lines(result: CliResult): unknown[] {
  return result.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
}

/** Nothing on stderr is a document: whoever parses gets stdout alone. */
function expectNoJson(stderr: string): void {
  for (const line of stderr.split('\n')) expect(line).not.toMatch(/^\s*[{[]"?/)
}

describe('every command', () => {
  it('is covered', () => {
    const program = makeProgram(new Runner(surroundings()))
    const names = (command: typeof program, path: string): string[] =>
      command.commands.length === 0
        ? [path]
        : command.commands.flatMap((one) => names(one, `${path} ${one.name()}`.trim()))
    const all = names(program, '')
    expect(all.length).toBeGreaterThan(35)
    const covered = (name: string, line: string) => `${line} `.startsWith(`${name} `)
    for (const side of ['ok', 'fails'] as const)
      expect(all.filter((name) => !CASES.some((one) => covered(name, one[side])))).toEqual([])
  })

  it.each(CASES)('$ok; and it fails: $fails', async ({ ok, fails, code, goesOn }) => {
    if (goesOn) await expectLines(ok)
    else await expectDocument(ok)
    const [human, json] = await Promise.all([run(fails), run(fails, ['--json'])])
    expect([human.code, json.code], human.stderr).toEqual([code, code])
    expectNoJson(human.stderr)
    expectNoJson(json.stderr)
    if (code === EXIT.timeout) {
      // No failure of the command: it says what it saw last.
      const document = JSON.parse(json.stdout) as object
      expect(document).toMatchObject({ outcome: 'timeout', seen: expect.any(String) })
      return
    }
    expect(human.stdout).toBe('')
    expect(human.stderr).toMatch(FOUR_PARTS)
    expect(lines(json)).toEqual([{ error: expect.objectContaining(DOCUMENTED(code)) }])
  })
})

const FOUR_PARTS =
  /^error: .+ {3}\[[A-Z_]+\]\n {2}why: {2}.+\n(?: {8}.+\n)* {2}try: {2}.+\n(?: {8}.+\n)* {2}docs: https:\/\/.+/

const DOCUMENTED = (exit: number) => ({
  code: expect.stringMatching(/^[A-Z_]+$/),
  message: expect.any(String),
  why: expect.any(String),
  remedy: expect.any(String),
  docs: expect.stringMatching(/^https:/),
  exit,
})

async function expectLines(line: string): Promise<void> {
  const args = [...line.split(' '), '--json']
  const result = await runCli(args, { env: real.env, interruptAt: /\n/ })
  for (const one of lines(result)) expect(one).toBeTypeOf('object')
  expect(result.code).toBe(EXIT.interrupted)
}

async function expectDocument(line: string): Promise<void> {
  const result = await run(line, ['--json'])
  expect(result.code, result.stderr).toBe(EXIT.done)
  const document = JSON.parse(result.stdout) as object
  expect(document).toBeTypeOf('object')
  expect(document).not.toHaveProperty('error')
  expectNoJson(result.stderr)
}

it.each([
  'describe group web --json',
  'group list --color always',
  'group show nosuch',
  'rule delete nosuch --yes --json',
  'explain group',
  'group --help',
  'statsu',
])(
  'a process of its own says the same, byte by byte, and ends with the same code: %s',
  async (line) => {
    const words = line.split(' ')
    const [within, own] = [
      await runCli(words, { env: real.env }),
      await runCliProcess(words, { env: real.env }),
    ]
    const same = ({ code, stdout, stderr }: CliResult) => ({
      code,
      // Each request has an id of its own.
      stdout: stdout.replace(/"request":"[^"]+"/, ''),
      stderr: stderr.replace(/request: \S+/, ''),
    })
    expect(same(within)).toEqual(same(own))
  },
)

it('a key that is not known: 6, for whatever asks the control plane', async () => {
  const asks = ['status', 'why web', 'events -f', 'api GET /v1/clusters', 'wait web --for online']
  for (const line of asks) {
    const result = await run(line, [], { HOLDFAST_API_KEY: 'hfk_of-somebody-else' })
    expect(result).toMatchObject({ code: EXIT.notAllowed, stdout: '' })
    expect(result.stderr).toMatch(/docs: https:\/\/\S+UNAUTHENTICATED {3}request: \S+/)
  }
})
