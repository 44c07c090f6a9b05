import type { HeldResource } from '../../schema/ipc.ts'
import type { Call, ResourceModule } from '../../schema/resource-type.ts'
import type { GuardLink } from './guard-link.ts'
import { propertiesOf } from './properties.ts'

/**
 * What a module is given with a call, and all that it is given (S-30, S-31).
 *
 * @throws {Error} the properties do not fit the module's schema
 */
export function makeCall(
  held: HeldResource,
  module: ResourceModule,
  link: GuardLink,
  call: Pick<Call, 'nodeName' | 'signal' | 'progress' | 'log'>,
): Call {
  const { guid, name, groupId, epoch, persistentState, hiveSeq, dependent } = held
  const subject = { resourceId: guid, groupId, epoch }
  return {
    guid,
    name,
    groupId,
    epoch,
    persistentState,
    hiveSeq,
    dependent,
    carry: held.carry ?? null,
    resume: held.resume ?? null,
    properties: propertiesOf(held, module),
    ...call,
    workload: {
      get process() {
        return link.processOf(guid)
      },
      // A call that was given up starts nothing: what follows it may have seen the end already.
      startChild: async (spec) => {
        call.signal.throwIfAborted()
        return link.startChild(subject, held.type, spec)
      },
      permitGate: async (gateName, how) => {
        call.signal.throwIfAborted()
        return link.permitGate(subject, gateName, how?.restores)
      },
      permitCopy: (mid, gateName) => link.permitCopy(subject, mid, gateName),
      carried: (mid) => link.carried(subject, mid),
      signal: (signal) => link.signal(guid, signal),
      stop: () => link.stop(guid),
      onExit: (listener) => link.onExit(guid, listener),
    },
  }
}
