/** G5: the quick witness of the kill matrix sees two at once, and nothing where there is one. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readLines } from '../../demo/cluster.ts'

const file = new URL('../kill/quick-witness.sh', import.meta.url).pathname

test('one after the other is none, two at once is an overlap', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-witness-'))
  const ledger = join(folder, 'ledger')
  const started: ChildProcess[] = []
  const start = (node: string) => {
    const env = { ...process.env, HOLDFAST_NODE: node, HOLDFAST_EPOCH: '3' }
    const child = spawn('/bin/sh', [file, folder], { detached: true, stdio: 'ignore', env })
    started.push(child)
    return child
  }
  /** As the guard does: the main process by the signal, and then what it has left. */
  const stop = async (child: ChildProcess) => {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
    killGroup(child)
    // A signal is not an end: until what it has left is gone that holds the lock.
    spawnSync('flock', ['--exclusive', join(folder, 'lock'), 'true'], { timeout: 10_000 })
  }
  const until = async (words: string[]) => {
    const said = () => (existsSync(ledger) ? readFileSync(ledger, 'utf8').trim().split('\n') : [])
    await expect.poll(() => said().length, { timeout: 5_000 }).toBe(words.length)
    expect(readLines(ledger).map((line) => `${line.what} ${line.owner}`)).toEqual(words)
  }
  try {
    const first = start('n1')
    await until(['start n1'])
    await stop(first)
    await until(['start n1', 'end n1'])
    start('n2')
    await until(['start n1', 'end n1', 'start n2'])
    start('n3')
    await until(['start n1', 'end n1', 'start n2', 'overlap n3', 'start n3'])
    expect(readLines(ledger).at(-1)).toMatchObject({ epoch: 3, pid: started[2]?.pid })
  } finally {
    for (const child of started) killGroup(child)
    rmSync(folder, { recursive: true, force: true })
  }
})

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined || pid <= 1) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
}
