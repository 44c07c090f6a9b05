/** Names: beginnings of them for reads, near ones in errors, completion; and questions before harm. */
import { spawn, spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeControlPlane, KEY } from './fake-control-plane.ts'
import { BIN, runCli } from './run-cli.ts'
import { sampleGroup, sampleView } from './sample-view.ts'

let plane: FakeControlPlane
const env = () => ({ HOLDFAST_URL: plane.url, HOLDFAST_API_KEY: KEY })
const run = (line: string, more: Record<string, string> = {}) =>
  runCli(line.split(' '), { env: { ...env(), ...more } })

beforeEach(async () => {
  plane = new FakeControlPlane()
  await plane.listen()
})
afterEach(() => plane.close())

describe('the beginning of a name', () => {
  it.each([
    ['group show w', 'web'],
    ['resource show NGI', 'nginx1'],
    ['describe resource ngi', 'nginx1'],
    ['log --resource ngi', 'nginx1'],
    ['why w', 'web'],
    ['wait w --for online', 'web'],
  ])('will do for what only looks: %s', async (line, name) => {
    expect(await run(line)).toMatchObject({ code: 0 })
    const used = plane.calls.flatMap((call) => [
      ...Object.values(call.params),
      ...Object.values(call.query),
    ])
    const known = plane.view.groups.flatMap((g) => [g, ...g.resources])
    const id = known.find((one) => one.name === name)?.id
    if (!line.startsWith('wait')) expect(used.some((one) => one === name || one === id)).toBe(true)
  })

  it.each([
    'group delete w --yes',
    'group change w --name x',
    'resource delete ngi --yes',
    'resource change ngi --name x',
    'node pause n',
    'node remove n --yes',
    'move w',
    'move web --to n',
    'online w',
    'offline ngi',
    'resource online ngi',
  ])('never for what changes something: %s', async (line) => {
    const result = await run(line)
    expect(result.code).toBe(5)
    // Sent as it was typed, and refused; never sent with another name.
    const typed = line.split(' ')
    const written = plane.calls.filter((call) => /^(?!get|list|why)/.test(call.route))
    for (const { params } of written) {
      const { cluster: _, ...named } = params
      for (const name of Object.values(named)) expect(typed).toContain(name)
    }
  })

  it('that fits several names them', async () => {
    plane.view = sampleView({
      groups: [sampleGroup(1, { name: 'web1' }), sampleGroup(2, { name: 'web2' })],
    })
    for (const line of ['group show web', 'why web']) {
      const result = await run(line)
      expect(result.code).toBe(2)
      expect(result.stderr).toContain('It is the beginning of web1, web2.')
    }
  })
})

describe('did you mean', () => {
  it.each([
    ['statsu', 'status'],
    ['group lsit', 'list'],
    ['status --wtach', '--watch'],
    ['group show wbe', 'web'],
    ['move wbe', 'web'],
    ['why ngnix1', 'nginx1'],
    ['status --cluster prdo', 'prod'],
    ['describe type proces', 'process'],
    ['explain group.failoverTreshold', 'failoverThreshold'],
  ])('%s', async (line, meant) => {
    const result = await run(line)
    expect([2, 5]).toContain(result.code)
    expect(result.stderr).toMatch(new RegExp(`try: {2}did you mean "?${meant}"?\\?`))
  })
})

describe('what cannot be undone', () => {
  const harmful = ['node remove n2', 'group delete web', 'resource delete app']

  it.each(harmful)('without a terminal it takes --yes: %s', async (line) => {
    for (const more of ['', ' --json']) {
      const result = await run(line + more)
      expect(result.code).toBe(2)
      expect(result.stderr).toContain('Add --yes')
    }
    expect(plane.calls).toEqual([])
  })

  const missing = spawnSync('script', ['--version']).status !== 0
  // Needs `script`, which makes a terminal.
  it.skipIf(missing)('with a terminal it asks, and only "y" does it (needs `script`)', async () => {
    expect(await answer('resource delete app', 'n')).toMatchObject({ code: 2 })
    expect(plane.calls).toEqual([])
    const done = await answer('resource delete app', 'y')
    expect(done.text).toContain('This will delete resource app. Go on? [y/N]')
    expect(done.code).toBe(0)
    expect(plane.calls.map((call) => call.route)).toContain('deleteResource')
  })
})

/** Runs a command on a terminal of its own and types an answer when it is asked. */
function answer(line: string, word: string): Promise<{ code: number | null; text: string }> {
  const command = `'${process.execPath}' '${BIN}' ${line}`
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', TERM: 'xterm', ...env() },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let text = ''
  let typed = false
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
    if (typed || !text.includes('[y/N]')) return
    typed = true
    child.stdin.write(`${word}\n`)
  })
  return new Promise((done) => {
    child.on('close', (code) => done({ code, text }))
  })
}

describe('colours', () => {
  it('only where they are wanted: NO_COLOR, FORCE_COLOR, --color, and never with --json', async () => {
    const colored = async (line: string, more: Record<string, string> = {}) =>
      (await run(line, more)).stdout.includes('\u001b[')
    expect(await colored('status')).toBe(false)
    expect(await colored('status', { FORCE_COLOR: '1' })).toBe(true)
    expect(await colored('status', { FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(false)
    expect(await colored('status --color always')).toBe(true)
    expect(await colored('status --json --color always')).toBe(false)
    const plain = (await run('status', { TERM: 'dumb' })).stdout
    expect([...plain].every((sign) => sign.charCodeAt(0) < 128)).toBe(true)
    expect((await run('status --ascii')).stdout).toBe(plain)
  })
})

describe('completion', () => {
  const complete = async (words: string, more: Record<string, string> = {}) => {
    const result = await runCli(['complete', '--', ...words.split(' ')], {
      env: { ...env(), ...more },
    })
    const lines = result.stdout.trim().split('\n').slice(0, -1)
    return { ...result, words: lines.map((line) => line.split('\t')[0]) }
  }

  it.each([
    ['stat', ['status']],
    ['group s', ['show']],
    ['group show ', ['web']],
    ['move ', ['web']],
    ['move web --to ', ['n1', 'n2', 'n3']],
    ['node pause n', ['n1', 'n2', 'n3']],
    ['online ', ['web', 'nginx1', 'app', 'n1', 'n2', 'n3']],
    ['completion ', ['bash', 'zsh', 'fish']],
    ['describe g', ['group']],
    ['group create ', []],
    ['status --w', ['--watch', '--wide']],
  ])('"%s"', async (words, found) => {
    // Within its time it says nothing rather than to wait: whoever sees nothing presses Tab again.
    await expect
      .poll(async () => (await complete(words)).words, { timeout: 20_000, interval: 100 })
      .toEqual(found)
  })

  it('is quiet and in time when the control plane is not', async () => {
    const silent = createServer(() => {})
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const beganMs = performance.now()
    const late = await complete('group show ', { HOLDFAST_URL: url })
    expect(performance.now() - beganMs).toBeLessThan(5_000)
    silent.closeAllConnections()
    silent.close()
    const gone = await complete('group show ', { HOLDFAST_URL: 'http://127.0.0.1:1' })
    const lost = await complete('group show ', { HOLDFAST_URL: '' })
    for (const one of [late, gone, lost])
      expect(one).toMatchObject({ code: 0, stderr: '', words: [] })
  })

  it('gives bash a script that it understands', async () => {
    const { stdout } = await run('completion bash')
    expect(spawnSync('bash', ['-n'], { input: stdout }).status).toBe(0)
    for (const shell of ['zsh', 'fish'])
      expect((await run(`completion ${shell}`)).stdout).toContain('holdfast complete --')
  })
})
