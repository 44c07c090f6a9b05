/** What goes on: by the event stream, by long polls where a proxy lets no stream through. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StreamFrame } from '../../schema/api/stream.ts'
import { cannedEvent, FakeControlPlane, KEY } from './fake-control-plane.ts'
import { runCli } from './run-cli.ts'

let plane: FakeControlPlane
const env = () => ({ HOLDFAST_URL: plane.url, HOLDFAST_API_KEY: KEY })

beforeEach(async () => {
  plane = new FakeControlPlane()
  await plane.listen()
})
afterEach(() => plane.close())

const update = (seq: number): StreamFrame => ({
  t: 'events',
  events: [{ ...cannedEvent, seq, message: `update ${seq}` }],
})
const watching = () => expect.poll(() => plane.waiting, { timeout: 10_000 }).toBe(1)
const seqs = (stdout: string) => [...stdout.matchAll(/update (\d+)/g)].map(([, n]) => Number(n))

/** A command that goes on, and how to end it. */
function going(line: string) {
  const user = new AbortController()
  const done = runCli(line.split(' '), { env: env(), signal: user.signal })
  return async () => {
    await new Promise((soon) => setTimeout(soon, 150))
    user.abort()
    return done
  }
}

describe('events --follow', () => {
  it('prints what comes, and after a loss goes on behind the last it saw: none lost, none twice', async () => {
    const end = going('events -f --after 40')
    await watching()
    plane.happen(update(42), update(43))
    await new Promise((soon) => setTimeout(soon, 100))
    for (const ws of plane.watchers) ws.terminate()
    await expect.poll(() => plane.asked.length, { timeout: 10_000 }).toBe(2)
    await watching()
    plane.happen(update(43), update(44))
    const run = await end()
    expect(run.code).toBe(130)
    expect(seqs(run.stdout)).toEqual([42, 43, 44])
    expect(plane.asked).toEqual(['41', '43'])
  })

  it('fetches what the stream leaves out', async () => {
    const end = going('events -f --after 40')
    await watching()
    const before = plane.calls.filter((call) => call.route === 'listEvents').length
    plane.happen({ t: 'gap', after: 41, next: 60 })
    const run = await end()
    const fetched = plane.calls.filter((call) => call.route === 'listEvents').slice(before)
    expect(fetched.map((call) => call.query['after'])).toEqual(['41'])
    expect(run.code).toBe(130)
  })

  it('says that nobody answers, once, and goes on by itself', async () => {
    const end = going('events -f --after 40')
    await watching()
    const { port } = new URL(plane.url)
    await plane.close()
    await new Promise((soon) => setTimeout(soon, 700))
    await plane.listen(Number(port))
    await watching()
    plane.happen(update(42))
    const run = await end()
    expect(seqs(run.stdout)).toEqual([42])
    expect(run.stderr.match(/does not answer/g)).toHaveLength(1)
  })
})

describe('a proxy that lets no stream through', () => {
  it('is got round by long polls that wait', async () => {
    plane.streams = false
    plane.works = false
    const pending = runCli(['move', 'web', '--to', 'n2'], { env: env() })
    await watching()
    const polls = () => plane.calls.filter((call) => call.route === 'listEvents')
    expect(polls().length).toBeLessThan(4)
    expect(polls().at(-1)?.query).toMatchObject({ observed: '1' })
    const group = plane.view.groups[0]
    if (group) Object.assign(group, { epoch: 5, owner: 'n2' })
    plane.happen()
    expect(await pending).toMatchObject({ code: 0 })
    expect(plane.asked).toHaveLength(1)
  })
})

describe('status --watch', () => {
  it('without a terminal: one line per change, and no look without a reason', async () => {
    const end = going('status --watch')
    await watching()
    const looks = () => plane.calls.filter((call) => call.route === 'getCluster').length
    await expect.poll(looks).toBeGreaterThan(1)
    const quiet = looks()
    await new Promise((soon) => setTimeout(soon, 1_200))
    expect(looks()).toBe(quiet)
    const resource = plane.view.groups[0]?.resources[0]
    if (resource) Object.assign(resource, { status: 'failed', detail: 'exit code 1' })
    plane.happen()
    await new Promise((soon) => setTimeout(soon, 300))
    plane.happen(update(42))
    const run = await end()
    const lines = run.stdout.trim().split('\n')
    const first = lines.findIndex((line) => line.includes('resource nginx1: failed (exit code 1)'))
    expect(first).toBeGreaterThan(0)
    expect(lines.slice(first + 1)).toEqual([expect.stringContaining('update 42')])
  })
})

describe('wait', () => {
  it('--for: what it waits for, or 124 and what it saw last', async () => {
    const pending = runCli(['wait', 'resource/nginx1', '--for', 'offline'], { env: env() })
    await watching()
    const resource = plane.view.groups[0]?.resources[0]
    if (resource) resource.status = 'offline'
    plane.happen()
    const run = await pending
    expect(run).toMatchObject({ code: 0, stderr: '' })
    expect(run.stdout).toMatch(/^resource nginx1 is offline on n1, after \d+ ms\n$/)

    const late = await runCli(['wait', 'n2', '--for', 'down', '--timeout', '100ms'], { env: env() })
    expect(late.code).toBe(124)
    expect(late.stdout).toBe('node n2 is up\n')
    expect(late.stderr).toContain('last seen: node n2 is up')
  })

  it.each([
    ['web --for online', 0],
    ['web --for on=n1', 0],
    ['web --for on=n2 --timeout 50ms', 124],
    ['web --for stable', 0],
    ['n1 --for up', 0],
    ['n1 --for offline', 2],
    ['web --for up', 2],
    ['web --for there', 2],
    ['nothing --for online', 5],
  ])('%s: %i', async (line, code) => {
    expect((await runCli(['wait', ...line.split(' ')], { env: env() })).code).toBe(code)
  })
})
