/** S-28: a resource monitor keeps what it has compiled, so that the next one is there sooner. */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { bundleProbe } from '../../tools/bundle-probe.ts'

test('it is written while the monitor lives: most are killed at their end', async (ctx) => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  ctx.skip(
    major < 22 || (major === 22 && minor < 10),
    'this Node.js keeps nothing that is compiled',
  )
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-compiled-'))
  const compiled = join(folder, 'compiled')
  const files = () =>
    readdirSync(folder).includes('compiled')
      ? readdirSync(compiled, { recursive: true, withFileTypes: true }).filter((e) => e.isFile())
      : []
  let child: ChildProcess | undefined
  try {
    const { rhs } = await bundleProbe(folder)
    child = fork(rhs, ['rhs'], {
      env: { NODE_COMPILE_CACHE: compiled },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    for (const end = performance.now() + 30_000; files().length === 0; await sleep(50))
      if (performance.now() > end) throw new Error('nothing was kept')
    child.kill('SIGKILL')
    const sizes = files().map((file) => readFileSync(join(file.parentPath, file.name)).length)
    expect(Math.max(...sizes)).toBeGreaterThan(100_000)
    // One file type for all of it: else each start compiles everything twice.
    expect(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).type).toBe('module')
  } finally {
    child?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)
