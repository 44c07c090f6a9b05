/**
 * Every command, run as a real process against the fake control plane: `--json` gives exactly one
 * JSON document (JSON Lines where it goes on), messages go to stderr, exit codes are the table's.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Runner } from '../../cli/command.ts'
import { makeProgram } from '../../cli/program.ts'
import { FakeControlPlane, KEY } from './fake-control-plane.ts'
import { runCli } from './run-cli.ts'

let plane: FakeControlPlane
const env = () => ({ HOLDFAST_URL: plane.url, HOLDFAST_API_KEY: KEY })

beforeEach(async () => {
  plane = new FakeControlPlane()
  await plane.listen()
})
afterEach(() => plane.close())

const ONE_DOCUMENT = [
  'status',
  'status --wide',
  'events',
  'events --since 40',
  'log --component rhs --resource nginx1',
  'cluster list',
  'cluster create new --profile fast',
  'cluster show prod',
  'node list --available',
  'node show n1',
  'node pause n1',
  'node resume n1',
  'node evict n1',
  'group list',
  'group show web',
  'group create db --preferred-owners n1,n2 --failover-threshold 3 --failover-period 6h',
  'group change web --name www --failover-threshold default',
  'group delete web',
  'resource list',
  'resource show nginx1',
  'resource types',
  'resource create r --type process --group web --command /usr/bin/node --arg=-e --env A=b ' +
    '--prop stopTimeoutMs=1000 --depends-on nginx1,app --possible-owners n1 --offline ' +
    '--is-alive 1s --restart-attempts 2 --separate-monitor',
  'resource change nginx1 --prop user=www --possible-owners all --no-separate-monitor',
  'resource delete app',
  'resource online nginx1',
  'resource offline nginx1',
  'token create --uses 3 --ttl 2h',
  'move web --to n2',
  'move web --no-wait',
  'online web',
  'online nginx1 --wait=2s',
  'offline web',
  'hive',
  'hive /Cluster/Resources --version 1',
]

describe('--json', () => {
  it.each(ONE_DOCUMENT)('%s', async (line) => {
    const run = await runCli([...line.split(' '), '--json'], { env: env() })
    const document = JSON.parse(run.stdout) as { error?: unknown }
    expect(document).toBeTypeOf('object')
    expect(run.code).toBe(line === 'node evict n1' ? 8 : 0)
    expect('error' in document).toBe(run.code !== 0)
  })

  it('is one document a line for what goes on', async () => {
    for (const line of ['events -f', 'log -f', 'status --watch']) {
      const args = [...line.split(' '), '--json']
      const run = await runCli(args, { env: env(), interruptAt: /\n/ })
      const lines = run.stdout.trim().split('\n')
      expect(lines.length).toBeGreaterThan(0)
      for (const text of lines) expect(JSON.parse(text)).toBeTypeOf('object')
      expect(run.code).toBe(130)
    }
  })

  it('covers every command there is', () => {
    const names = (command: ReturnType<typeof makeProgram>, path: string): string[] =>
      command.commands.length === 0
        ? [path]
        : command.commands.flatMap((one) => names(one, `${path} ${one.name()}`.trim()))
    const untested = names(makeProgram(new Runner()), '').filter(
      (name) => !ONE_DOCUMENT.some((line) => `${line} `.startsWith(`${name} `)),
    )
    expect(untested).toEqual([])
  })

  it('says an error as a document too, and once more for people on stderr', async () => {
    const run = await runCli(['group', 'show', 'wbe', '--json'], { env: env() })
    expect(JSON.parse(run.stdout)).toEqual({
      error: {
        code: 'NOT_FOUND',
        message: 'no group "wbe"',
        why: 'Of groups, prod has these: web.',
        remedy: 'did you mean "web"?',
        request: expect.any(String),
        exit: 5,
      },
    })
    expect(run.stderr).toContain('error: no group "wbe"   [NOT_FOUND]')
    expect(run.code).toBe(5)
  })
})

describe('what is sent', () => {
  it('resource create', async () => {
    const args =
      'resource create r --group web --type process --command /bin/x --arg=-g --arg a=b --env K=v=w --prop n=1 --prop t=word --offline --is-alive 500ms'
    await runCli(args.split(' '), { env: env() })
    expect(plane.calls.at(-1)?.body).toEqual({
      name: 'r',
      group: 'web',
      type: 'process',
      properties: {
        command: '/bin/x',
        args: ['-g', 'a=b'],
        env: { K: 'v=w' },
        n: 1,
        t: 'word',
      },
      persistentState: 0,
      dependsOn: [],
      poll: { isAliveMs: 500 },
    })
  })

  it('resource change keeps the properties that were not named', async () => {
    await runCli(['resource', 'change', 'nginx1', '--user', 'www'], { env: env() })
    expect(plane.calls.at(-1)?.body).toEqual({
      properties: { command: '/usr/sbin/nginx', args: ['-g', 'daemon off;'], user: 'www' },
    })
  })
})

describe('waiting', () => {
  it('says how long a move took', async () => {
    const run = await runCli(['move', 'web', '--to', 'n2'], { env: env() })
    expect(run.stdout).toMatch(/^group web moved from n1 to n2, took \d+ ms\n$/)
    expect(run.code).toBe(0)
  })

  it('ends with 124 when it takes too long', async () => {
    plane.works = false
    const run = await runCli(['move', 'web', '--wait=300ms'], { env: env() })
    expect(run.code).toBe(124)
    expect(run.stderr).toContain('it goes on')
  })

  it('ends with 130 on Ctrl-C, says that the move goes on, and gives a document', async () => {
    plane.works = false
    const user = new AbortController()
    const pending = runCli(['move', 'web', '--json'], { env: env(), signal: user.signal })
    const polls = () => plane.calls.filter((call) => call.route === 'getGroup').length
    await expect.poll(polls, { timeout: 10_000 }).toBeGreaterThan(2)
    user.abort()
    const run = await pending
    expect(run.code).toBe(130)
    expect(JSON.parse(run.stdout)).toMatchObject({ outcome: 'interrupted' })
    expect(run.stderr).toContain('it goes on')
  })

  it('goes on when the control plane is away for a moment', async () => {
    plane.works = false
    const pending = runCli(['move', 'web'], { env: env() })
    const polls = () => plane.calls.filter((call) => call.route === 'getGroup').length
    await expect.poll(polls, { timeout: 10_000 }).toBeGreaterThan(2)
    const { port } = new URL(plane.url)
    await plane.close()
    await new Promise((done) => setTimeout(done, 500))
    await plane.listen(Number(port))
    const group = plane.view.groups[0]
    if (group) Object.assign(group, { epoch: 5, owner: 'n2' })
    expect((await pending).code).toBe(0)
  })

  it('ends with 3 when the group comes to rest on another node', async () => {
    plane.works = false
    const pending = runCli(['move', 'web', '--to', 'n2'], { env: env() })
    const moved = () => plane.calls.some((call) => call.route === 'moveGroup')
    await expect.poll(moved, { timeout: 10_000 }).toBe(true)
    const group = plane.view.groups[0]
    if (group) Object.assign(group, { epoch: 5, owner: 'n3' })
    expect((await pending).code).toBe(3)
  })
})

describe('exit codes', () => {
  it.each([
    [2, 'sttus'],
    [2, 'node'],
    [2, 'resource create r'],
    [2, 'move web --wait soon'],
    [2, 'group create db --failover-threshold many'],
    [5, 'move nothing'],
    [5, 'online nothing'],
    [7, 'move web --to n1'],
    [8, 'node evict n1'],
  ])('%i: %s', async (code, line) => {
    expect((await runCli(line.split(' '), { env: env() })).code).toBe(code)
  })

  it('6: a key that is not known', async () => {
    const run = await runCli(['status'], { env: { ...env(), HOLDFAST_API_KEY: 'hfk_other' } })
    expect(run.code).toBe(6)
  })

  it('1: nobody answers', async () => {
    const known = env()
    await plane.close()
    const run = await runCli(['status'], { env: known })
    await plane.listen()
    expect(run.code).toBe(1)
    expect(run.stderr).toContain('does not answer   [UNAVAILABLE]')
  })

  it('status --exit-status: 0, 3, 8', async () => {
    for (const [health, code] of [
      ['healthy', 0],
      ['warning', 3],
      ['outage', 8],
    ] as const) {
      plane.view.health = health
      expect((await runCli(['status', '--exit-status'], { env: env() })).code).toBe(code)
    }
  })
})
