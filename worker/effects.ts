/** What a decision has to say to nodes, once it is committed. */
import { CLOSE } from '../schema/session.ts'
import { unreachable } from '../schema/unreachable.ts'
import type { Effect } from './core/decision.ts'
import type { Sockets } from './sockets.ts'

export function sendEffect(sockets: Sockets, effect: Exclude<Effect, { type: 'welcome' }>): void {
  switch (effect.type) {
    case 'refuse':
      for (const ws of sockets.of(effect.nodeId))
        if (sockets.attachment(ws)?.session === effect.session)
          sockets.close(ws, CLOSE.refused, effect)
      break
    case 'offer': {
      const { type: _, nodeId, ...offer } = effect
      sockets.tell(nodeId, { t: 'offer', ...offer })
      break
    }
    case 'fence':
      sockets.tell(effect.nodeId, { t: 'fence', order: effect.order })
      break
    case 'policy':
      sockets.tell(effect.nodeId, { t: 'policy', policy: effect.policy })
      break
    case 'closeSession':
      for (const ws of sockets.of(effect.nodeId, effect.session))
        sockets.close(ws, effect.code, { code: 'closed', detail: effect.detail })
      break
    default:
      unreachable(effect)
  }
}
