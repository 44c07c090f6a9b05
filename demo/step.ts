/** A workload that records its start and its end: for the order of dependencies. */
import { appendFileSync } from 'node:fs'
import { bootMs } from '../probe/clock.ts'

const ledger = process.argv[2] as string

function record(what: string): void {
  const { HOLDFAST_NODE: owner, HOLDFAST_EPOCH: epoch, HOLDFAST_RESOURCE: name } = process.env
  const line = { what, atMs: bootMs(), owner, epoch: Number(epoch), name, pid: process.pid }
  appendFileSync(ledger, `${JSON.stringify(line)}\n`)
}

record('start')
process.on('SIGTERM', () => {
  record('end')
  process.exit(0)
})
setInterval(() => {}, 60_000)
