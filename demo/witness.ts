/**
 * The witness: a workload that judges "never on two at once". With a detached grandchild of its own
 * it holds an exclusive lock on a file that all hosts of the test share. A start that finds the lock
 * held is an overlap, and is recorded before anything else happens. It never gives way by itself.
 *
 *   node witness.ts FOLDER [STOP_DELAY_MS [WRITE_MS]]
 *
 * FOLDER/lock    what is locked
 * FOLDER/ledger  one JSON line for each start, end and overlap, by boot time
 * FOLDER/writes  one at the start and every WRITE_MS, if given: what a workload does to a store that
 *                its hosts share; each line has the epoch, by which a store can refuse it
 */
import { spawn, spawnSync } from 'node:child_process'
import { appendFileSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { bootMs } from '../probe/clock.ts'

const folder = process.argv[2] as string
const role = process.argv[3] === 'grandchild' ? 'grandchild' : 'main'
const stopDelayMs = role === 'main' ? Number(process.argv[3] ?? 0) : 0
const writeMs = Number(process.argv[4] ?? 0)

mkdirSync(folder, { recursive: true })

function record(what: string, file = 'ledger'): void {
  const { HOLDFAST_NODE: owner, HOLDFAST_EPOCH: epoch, HOLDFAST_RESOURCE: name } = process.env
  const line = {
    what,
    atMs: bootMs(),
    owner,
    epoch: Number(epoch),
    name,
    pid: process.pid,
  }
  // One write of one line, appended: lines of several hosts do not mix.
  appendFileSync(join(folder, file), `${JSON.stringify(line)}\n`)
}

if (role === 'grandchild') {
  // It holds the lock by the descriptor it inherited, for as long as it lives.
  setInterval(() => {}, 60_000)
} else {
  const fd = openSync(join(folder, 'lock'), 'a')
  // The lock belongs to the open file, which we and the grandchild share: it stands until both end.
  const free = spawnSync('flock', ['--exclusive', '--nonblock', '3'], {
    stdio: ['ignore', 'ignore', 'inherit', fd],
  })
  if (free.status !== 0) record('overlap')
  process.on('SIGTERM', () => setTimeout(end, stopDelayMs))
  record('start')
  if (writeMs > 0) record('write', 'writes')
  const grandchild = spawn(process.execPath, [process.argv[1] as string, folder, 'grandchild'], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', fd],
  })
  grandchild.unref()
  if (free.status !== 0) {
    // An overlap has been recorded; from here on it waits for the lock like anybody.
    spawnSync('flock', ['--exclusive', '3'], { stdio: ['ignore', 'ignore', 'inherit', fd] })
  }
  function end(): void {
    record('end')
    if (grandchild.pid) process.kill(grandchild.pid, 'SIGKILL')
    closeSync(fd)
    process.exit(0)
  }
  if (writeMs > 0) setInterval(() => record('write', 'writes'), writeMs)
  setInterval(() => {}, 60_000)
}
