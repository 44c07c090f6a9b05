/** G2, G5: what an action of a script leaves behind, and a guard that cannot look for a moment. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { identityOf } from '../../../probe/gate/proc.ts'
import { type KillHandles, killHandles } from '../../../probe/guard/cgroup.ts'
import { Workloads } from '../../../probe/guard/workloads.ts'
import { runAction } from '../../../probe/resources/action.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-actions-'))
const left: number[] = []
afterEach(() => {
  for (const pid of left.splice(0)) if (pid > 1 && identityOf(pid)) process.kill(pid, 'SIGKILL')
})

function script(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
  return path
}

test('nothing that a check has started outlives it, also when it has daemonised', async () => {
  const pidFile = join(folder, 'pid')
  const command = script(
    'check.sh',
    `setsid sh -c 'echo $$ > ${pidFile}; exec sleep 300' </dev/null >/dev/null 2>&1 &
     while [ ! -s ${pidFile} ]; do sleep 0.01; done`,
  )
  const signal = new AbortController().signal
  const env = { PATH: process.env['PATH'] ?? '' }
  const end = await runAction({ command, args: [], env, timeoutMs: 5_000, signal })
  expect(end.code).toBe(0)
  const pid = Number(readFileSync(pidFile, 'utf8'))
  left.push(pid)
  await new Promise((resolve) => setTimeout(resolve, 200))
  // It runs beside the guard's records: "nothing runs" would be said while it does (G5).
  expect(identityOf(pid)).toBeNull()
})

test('an action carries the kill mark of its monitor: without cgroups nothing else finds it', async () => {
  process.env['HOLDFAST_KILL_GROUP'] = 'owner/tree-1-rhs-exec'
  try {
    const command = script('mark.sh', 'echo "mark=$HOLDFAST_KILL_GROUP"')
    const signal = new AbortController().signal
    const end = await runAction({ command, args: [], env: {}, timeoutMs: 5_000, signal })
    expect(end.output).toContain('mark=owner/tree-1-rhs-exec')
  } finally {
    delete process.env['HOLDFAST_KILL_GROUP']
  }
})

test('a daemon whose kill group cannot be looked at when its main process ends does not take the guard along', async () => {
  const real = killHandles('00000000-0000-4000-8000-0000000000ee')
  let blind = 0
  const handles: KillHandles = {
    ...real,
    members(group) {
      if (blind > 0) {
        blind -= 1
        throw Object.assign(new Error('ENFILE'), { code: 'ENFILE' })
      }
      return real.members(group)
    },
  }
  const errors: unknown[] = []
  const note = (error: unknown) => errors.push(error)
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', note)
  const gone: string[] = []
  try {
    const workloads = new Workloads(handles, folder, {
      mainEnded: () => {},
      nothingRuns: (resourceId) => void gone.push(resourceId),
    })
    blind = 1
    workloads.spawn('r', {
      command: '/bin/true',
      args: [],
      env: {},
      daemon: true,
    })
    for (let n = 0; n < 200 && gone.length + errors.length === 0; n += 1)
      await new Promise((resolve) => setTimeout(resolve, 10))
    expect(errors).toEqual([])
    expect(gone).toEqual(['r'])
  } finally {
    process.removeListener('uncaughtException', note)
    for (const listener of before) process.on('uncaughtException', listener)
    for (const group of real.groups()) {
      real.killAll(group)
      real.remove(group)
    }
  }
})

process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
