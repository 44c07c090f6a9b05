import { type AgentToGuard, guardToAgent } from '../../schema/ipc.ts'
import { Agent } from './agent.ts'
import { Identity } from './identity.ts'
import { LocalStops } from './local-stops.ts'
import { parsePeerListen } from './peer-listen.ts'
import { Replica } from './replica.ts'

const LOOK_MS = 60_000

/** The agent as a process: child of the guard, which restarts it. */
export function runAgent(stateFolder: string, peers: string): void {
  const replica = new Replica(stateFolder)
  replica.keepFile()
  const identity = new Identity(stateFolder)
  const localStops = new LocalStops(stateFolder)
  const toGuard = (frame: AgentToGuard) => void process.send?.(frame)
  const agent = new Agent(identity, replica, localStops, toGuard, parsePeerListen(peers))
  process.on('message', (message) => {
    const parsed = guardToAgent.safeParse(message)
    if (parsed.success) agent.fromGuard(parsed.data)
    else process.stderr.write(`holdfast agent: from guard: ${parsed.error.message.slice(0, 500)}\n`)
  })
  setInterval(() => agent.look(), LOOK_MS)
  process.on('disconnect', () => {
    replica.flush()
    process.exit(0)
  })
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => {})
}
