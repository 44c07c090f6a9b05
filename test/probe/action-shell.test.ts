/** G2, S-32: actions run one after the other below shells that stay, and no call costs more than itself. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { identityOf } from '../../probe/gate/proc.ts'
import { ShellEnded } from '../../probe/os/action-shell.ts'
import { type ActionSpec, runAction } from '../../probe/resources/action.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-shell-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PATH = '/usr/bin:/bin'
const run = (text: string, over: Partial<ActionSpec> = {}) =>
  runAction({
    ...{ command: '/bin/sh', args: ['-c', text], env: { PATH }, timeoutMs: 5_000 },
    ...{ signal: new AbortController().signal, ...over },
  })
const shellOf = async (over: Partial<ActionSpec> = {}) =>
  Number((await run('echo $PPID', over)).output)

async function eventually(look: () => unknown): Promise<void> {
  for (const end = performance.now() + 5_000; !look(); await sleep(5))
    if (performance.now() > end) throw new Error('waited in vain')
}

describe('one shell for many calls', () => {
  test('the next call has the same one; one at the same time has another', async () => {
    const shell = await shellOf()
    expect(await shellOf()).toBe(shell)
    const both = await Promise.all([shellOf(), shellOf()])
    expect(new Set(both).size).toBe(2)
    expect(both).toContain(shell)
  })

  test('another folder, or another user, has one of its own', async () => {
    const here = await shellOf()
    const there = await run('pwd; echo $PPID', { cwd: folder })
    expect(there.output).toBe(`${folder}\n${await shellOf({ cwd: folder })}\n`)
    expect(await shellOf({ cwd: folder })).not.toBe(here)
  })

  test('nothing of one call is there in the next', async () => {
    const shell = await shellOf()
    await run('export LEFT=1; cd /; umask 0; trap "" TERM; echo "$SECRET"', {
      env: { PATH, SECRET: 'x' },
    })
    const { output } = await run('env | grep -v ^_ | sort; umask; echo $PPID')
    const env = output.split('\n').filter((line) => !/^(HOLDFAST_|OLDPWD=|PWD=|SHLVL=)/.test(line))
    expect(env.slice(0, 1)).toEqual([`PATH=${PATH}`])
    expect(env.slice(1)).not.toContain('0000')
    expect(output).toContain(String(shell))
    expect(output).not.toMatch(/LEFT|SECRET/)
  })

  test('one that was killed costs a new one, and nothing else', async () => {
    const shell = await shellOf()
    process.kill(shell, 'SIGKILL')
    await eventually(() => identityOf(shell) === null)
    await sleep(20)
    const next = await shellOf()
    expect(next).not.toBe(shell)
    expect(await shellOf()).toBe(next)
  })

  test('killed during a call, nobody knows how that has ended, and nothing of it runs on', async () => {
    const pidFile = join(folder, 'under-way')
    const call = run(`echo $$ >${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 300`)
    const ended = expect(call).rejects.toBeInstanceOf(ShellEnded)
    await eventually(() => existsSync(pidFile))
    const pid = Number(readFileSync(pidFile, 'utf8'))
    const parent = Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[1])
    process.kill(parent, 'SIGKILL')
    await ended
    expect(identityOf(pid)).toBeNull()
  })

  test('a process that has nothing else to do ends, whatever shells wait', () => {
    const file = join(folder, 'ends.ts')
    const action = new URL('../../probe/resources/action.ts', import.meta.url).pathname
    writeFileSync(
      file,
      `import { runAction } from '${action}'
const signal = new AbortController().signal
const { code } = await runAction({ command: '/bin/true', args: [], env: {}, timeoutMs: 30_000, signal })
process.stdout.write('code ' + code)`,
    )
    const ended = spawnSync(process.execPath, [file], { encoding: 'utf8', timeout: 20_000 })
    expect(ended).toMatchObject({ status: 0, stdout: 'code 0' })
  })
})

describe('how an action ends', () => {
  test('by a signal there is no exit code; the words of its shell, with secrets, are nowhere', async () => {
    for (const signal of ['KILL', 'TERM', 'SEGV']) {
      const end = await run(`echo said; kill -${signal} $$`, { env: { PATH, SECRET: 'hush' } })
      expect(end).toMatchObject({
        code: null,
        timedOut: false,
        output: expect.stringMatching(/^said/),
      })
      expect(end.output).not.toContain('hush')
    }
  })

  test.each([190, 191, 128, 127, 255])('exit code %d is one', async (code) => {
    expect((await run(`exit ${code}`)).code).toBe(code)
  })

  test('a signal to its whole process group is not the end of its shell', async () => {
    const shell = await shellOf()
    expect((await run('kill 0; sleep 300')).code).toBeNull()
    expect(await shellOf()).toBe(shell)
  })

  test('its deadline and its cancelling end all of it, and the next call finds another shell', async () => {
    const shell = await shellOf()
    const late = await run('echo before; sleep 300', { timeoutMs: 100 })
    expect(late).toMatchObject({ code: null, timedOut: true, output: 'before\n' })
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 100)
    const unwanted = await run('sleep 300', { signal: abort.signal })
    expect(unwanted).toMatchObject({ code: null, timedOut: false })
    expect(await shellOf()).not.toBe(shell)
  })

  test('G2: what it leaves in a cgroup of its own making is ended with it', async (ctx) => {
    const own = await run('cat /proc/self/cgroup')
    const path = /^0::(.*\/action-\S+)$/m.exec(own.output)?.[1]
    ctx.skip(path === undefined, 'there are no cgroups of version 2 here')
    const end = await run(
      `own=$(sed -n 's/^0:://p' /proc/self/cgroup); at=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
       mkdir "$at$own/deeper" && { sleep 300 & echo $!; echo $! >"$at$own/deeper/cgroup.procs"; }`,
    )
    expect(end.code).toBe(0)
    const pid = Number(end.output)
    expect(pid).toBeGreaterThan(1)
    expect(identityOf(pid)).toBeNull()
  })
})

describe('what goes in and comes out', () => {
  test('names and values that no shell could have are given to it all the same', async () => {
    const env = { PATH, 'a-b': '1 2', UID: '77', PPID: '4', X: "it's\n$HOME `id`\\" }
    const { output } = await runAction({
      ...{ command: '/usr/bin/env', args: ['-0'], env, timeoutMs: 5_000 },
      signal: new AbortController().signal,
    })
    const found = output.split('\0')
    for (const [name, value] of Object.entries(env)) expect(found).toContain(`${name}=${value}`)
  })

  test('a NUL in them is refused, and the next call is made', async () => {
    await expect(run('true', { env: { PATH, X: 'a\0b' } })).rejects.toThrow('NUL')
    expect((await run('exit 7')).code).toBe(7)
  })

  test('standard output apart, whole and from its end; without that all in one', async () => {
    const text =
      'i=0; while [ $i -lt 3000 ]; do echo "line $i 01234567890123456789"; i=$((i+1)); done; echo oops >&2'
    const apart = await run(text, { stdoutBytes: 1024 * 1024 })
    expect(apart.stdout.split('\n')).toHaveLength(3_001)
    expect(apart.stdout).toMatch(/^line 0 /)
    expect(apart.stdout).not.toContain('oops')
    expect(apart.output).toContain('oops')
    const joined = await run(text)
    expect(joined.output).toMatch(/line 2999 \d+\noops\n$/)
    expect(joined.stdout).toBe('')
  })

  test('output without an end of line, and none at all', async () => {
    expect((await run('printf "no end"')).output).toBe('no end')
    expect((await run('true')).output).toBe('')
  })

  test('a file without a first line that says what it is in is run by the shell', async () => {
    const file = join(folder, 'plain')
    writeFileSync(file, 'echo plain "$1"; exit 3\n')
    chmodSync(file, 0o755)
    const end = await run('', { command: file, args: ['word'] })
    expect(end).toMatchObject({ code: 3, output: 'plain word\n' })
  })
})
