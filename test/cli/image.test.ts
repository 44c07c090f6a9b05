/**
 * The control plane on one machine, as `deploy/` sets it up. There is no container engine here: what the
 * Dockerfile copies is copied, what it installs is linked, and its command is run.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const ROOT = new URL('../..', import.meta.url).pathname
const lines = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8').split('\n')
const of = (word: string) =>
  lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1))

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  await new Promise((done) => server.close(done))
  return port
}

describe('deploy/Dockerfile', () => {
  let folder: string
  let child: ChildProcess | undefined
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-image-'))
  })
  afterAll(async () => {
    if (child && child.exitCode === null) {
      const ended = new Promise((done) => child?.once('exit', done))
      child.kill('SIGTERM')
      await ended
    }
    rmSync(folder, { recursive: true, force: true })
  })

  test('what it copies is enough for its command, and its health check passes', async () => {
    for (const copy of of('COPY')) {
      const words = copy.split(' ')
      for (const from of words.slice(0, -1))
        cpSync(join(ROOT, from), join(folder, from), { recursive: true })
    }
    // Its RUN of npm: packages that are not for development only.
    const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages
    const needed = Object.keys(wanted[''].dependencies as object)
    for (const name of needed)
      expect(wanted[`node_modules/${name}`]?.dev, `${name} is for development only`).toBeUndefined()
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    const [command = '[]'] = of('CMD')
    const port = await freePort()
    const words = (JSON.parse(command) as string[])
      .slice(1)
      .map((word) => (word === '8787' ? String(port) : word))
      .map((word) => (word === '0.0.0.0' ? '127.0.0.1' : word))
      .map((word) => (word === '/var/lib/holdfast' ? join(folder, 'state') : word))
    child = spawn(process.execPath, words, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout?.on('data', (chunk) => {
      said += String(chunk)
    })
    for (let n = 0; n < 300 && !said.includes('control plane'); n++) await sleep(100)
    expect(said).toContain(`:${port}`)
    const [check = ''] = of('HEALTHCHECK')
    const script = /node -e "(.*)"$/.exec(check)?.[1]?.replace('8787', String(port)) ?? 'throw 1'
    expect(spawnSync(process.execPath, ['-e', script]).status).toBe(0)
  }, 90_000)

  test('it does not run as root, and what it keeps is a volume', () => {
    expect(of('USER')).toEqual(['node'])
    expect(of('VOLUME')).toEqual(['/var/lib/holdfast'])
  })
})

describe('deploy/holdfast-control.service', () => {
  const unit = readFileSync(join(ROOT, 'deploy/holdfast-control.service'), 'utf8')

  test('systemd takes it', (ctx) => {
    const known = spawnSync('systemd-analyze', ['--version']).status === 0
    ctx.skip(
      !known,
      'no systemd-analyze here (Debian package systemd), by which units are verified',
    )
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-unit-'))
    try {
      // Its program is there once it is installed.
      const path = join(folder, 'holdfast-control.service')
      const here = unit
        .replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`)
        .replace(/^WorkingDirectory=.*$/m, 'WorkingDirectory=/tmp')
      spawnSync('tee', [path], { input: here })
      const verified = spawnSync('systemd-analyze', ['verify', '--man=no', path], {
        encoding: 'utf8',
      })
      const about = verified.stderr.split('\n').filter((line) => line.includes('holdfast-control'))
      expect(about).toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('it is always started again, and may open what it needs', () => {
    for (const line of ['Restart=always', 'StartLimitIntervalSec=0', 'LimitNOFILE=65536'])
      expect(unit.split('\n')).toContain(line)
  })
})
