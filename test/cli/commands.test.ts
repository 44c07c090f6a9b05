/**
 * Commands against the fake control plane: what is sent, how it waits, what it
 * ends with. That every command keeps the contract is shown against a real one: contract.test.ts.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeControlPlane, KEY } from './fake-control-plane.ts'
import { runCli } from './run-cli.ts'

let plane: FakeControlPlane
const env = () => ({ HOLDFAST_URL: plane.url, HOLDFAST_API_KEY: KEY })

beforeEach(async () => {
  plane = new FakeControlPlane()
  await plane.listen()
})
afterEach(() => plane.close())

describe('--json', () => {
  it('says an error as a document too, and once more for people on stderr', async () => {
    const run = await runCli(['group', 'show', 'wbe', '--json'], { env: env() })
    expect(JSON.parse(run.stdout)).toEqual({
      error: {
        code: 'NOT_FOUND',
        message: 'no group "wbe"',
        why: 'Of groups, prod has these: web.',
        remedy: 'did you mean "web"?',
        docs: 'https://holdfast.dev/errors/NOT_FOUND',
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
    expect(run.stdout).toMatch(/^group web moved from n1 to n2, took 57 ms \(outage 31 ms\)\n$/)
    expect(run.code).toBe(0)
  })

  it('ends with 124 when it takes too long', async () => {
    plane.works = false
    const run = await runCli(['move', 'web', '--wait=300ms'], { env: env() })
    expect(run.code).toBe(124)
    expect(run.stderr).toContain('it goes on. Look again: holdfast operation watch u42')
    expect(run.stderr).toContain('Cancel: holdfast operation cancel u42')
  })

  it('ends with 130 on Ctrl-C, says that the move goes on, and gives a document', async () => {
    plane.works = false
    const user = new AbortController()
    const pending = runCli(['move', 'web', '--json'], { env: env(), signal: user.signal })
    await expect.poll(() => plane.waiting, { timeout: 10_000 }).toBe(1)
    user.abort()
    const run = await pending
    expect(run.code).toBe(130)
    const operation = { id: 'u42', state: 'running', endedAtMs: null }
    expect(JSON.parse(run.stdout)).toMatchObject({ outcome: 'interrupted', operation })
    expect(run.stderr).toContain('it goes on. Look again: holdfast operation watch u42')
  })

  it('goes on when the control plane is away for a moment', async () => {
    plane.works = false
    const pending = runCli(['move', 'web'], { env: env() })
    await expect.poll(() => plane.waiting, { timeout: 10_000 }).toBe(1)
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
    await expect.poll(() => plane.waiting, { timeout: 10_000 }).toBe(1)
    const group = plane.view.groups[0]
    if (group) Object.assign(group, { epoch: 5, owner: 'n3' })
    plane.happen()
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
    [8, 'node evict n1 --yes'],
    [2, 'node evict n1'],
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
