/** A tiny HTTP server: the demo's workload that a browser can look at. */
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { bootMs } from '../probe/clock.ts'

const port = Number(process.argv[2] ?? 0)
const ledger = process.argv[3]
const { HOLDFAST_NODE: node, HOLDFAST_EPOCH: epoch, HOLDFAST_RESOURCE: name } = process.env

if (ledger)
  appendFileSync(
    ledger,
    `${JSON.stringify({ what: 'start', atMs: bootMs(), owner: node, epoch: Number(epoch), name, pid: process.pid })}\n`,
  )
const server = createServer((_, response) => {
  response.end(`${name} on ${node}, epoch ${epoch}, pid ${process.pid}\n`)
})
server.listen(port, '127.0.0.1')
server.on('error', (error) => {
  process.stderr.write(`${error}\n`)
  process.exit(1)
})
process.on('SIGTERM', () => process.exit(0))
