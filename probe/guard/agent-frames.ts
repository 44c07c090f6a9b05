import type { AgentToGuard } from '../../schema/ipc.ts'
import type { GuardEvent } from '../core/guard.ts'

/** What the agent says as what the guard decides on; null: it is for the shell alone. */
export function guardEvent(frame: AgentToGuard): GuardEvent | null {
  switch (frame.t) {
    case 'challenge':
      return { type: 'challenged', session: frame.session }
    case 'welcomed': {
      const { session, timing, policy } = frame
      return { type: 'welcomed', session, timing, policy }
    }
    case 'policy':
      return { type: 'policyTold', session: frame.session, policy: frame.policy }
    case 'sessionClosed':
      return { type: 'sessionClosed', session: frame.session }
    case 'renewed': {
      const { session, lease, sentAtMs } = frame
      return { type: 'renewed', session, lease, sentAtMs }
    }
    case 'grant': {
      const { session, groupId, epoch, resume } = frame
      return { type: 'granted', session, groupId, epoch, ...(resume && { resume }) }
    }
    case 'copiesWanted':
      return { type: 'copiesWanted', mids: frame.mids }
    case 'stopGroup':
      return { type: 'groupStopAsked', groupId: frame.groupId, epoch: frame.epoch }
    case 'stopAll':
      return { type: 'everythingMustStop' }
    default:
      return null
  }
}
