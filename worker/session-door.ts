/** Where a host opens a socket to its cluster. */
import type { Hive } from '../schema/hive.ts'
import { PROTOCOL } from '../schema/session.ts'
import type { HiveStore } from './hive-store.ts'
import { attemptUsed, checkConnect, refusedSession } from './session-auth.ts'
import type { Sockets } from './sockets.ts'

interface House {
  readonly ctx: DurableObjectState
  readonly hive: Hive
  readonly store: HiveStore
  readonly sockets: Sockets
}

/** A socket with a new number and a challenge (S1), or why there is none. */
export async function openSession(request: Request, house: House): Promise<Response> {
  const { ctx, hive, store, sockets } = house
  const checked = await checkConnect(request, hive, store)
  if ('refused' in checked) return refusedSession(checked)
  const { nodeId, attempt } = checked
  // From here on synchronous: attempt, number and socket belong together (S1).
  const used = attemptUsed(store, nodeId, attempt)
  if (used) return refusedSession(used)
  store.noteAttempt(nodeId, attempt)
  const session = store.nextSession()
  const nonce = crypto.randomUUID()
  const { 0: client, 1: server } = new WebSocketPair()
  ctx.acceptWebSocket(server, [nodeId])
  sockets.begin(server, { nodeId, session, nonce })
  sockets.send(server, { t: 'challenge', session, nonce, protocol: PROTOCOL })
  return new Response(null, { status: 101, webSocket: client })
}
