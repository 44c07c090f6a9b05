/** What resource monitors ask of the guard, and whom each answer goes to. */
import { allows, type HostPolicy } from '../../schema/host-policy.ts'
import { type GuardToAgent, rhsToGuard, type WorkloadRecord } from '../../schema/ipc.ts'
import type { GuardEvent } from '../core/guard.ts'
import type { Monitors } from './monitors.ts'
import { complain, forbids } from './policy.ts'
import type { Starts } from './starts.ts'
import type { Workloads } from './workloads.ts'

export interface RhsRequestParts {
  readonly policy: HostPolicy
  readonly monitors: Monitors
  readonly starts: Starts
  readonly workloads: Workloads
  recordOf(resourceId: string): WorkloadRecord | undefined
  step(event: GuardEvent): void
  toAgent(frame: GuardToAgent): void
}

export class RhsRequests {
  readonly #parts: RhsRequestParts

  constructor(parts: RhsRequestParts) {
    this.#parts = parts
  }

  from(monitor: string, message: unknown): void {
    const parsed = rhsToGuard.safeParse(message)
    if (!parsed.success) return complain(monitor, parsed.error.message)
    const { policy, monitors, starts, workloads, recordOf, step, toAgent } = this.#parts
    const frame = parsed.data
    if ('requestId' in frame && frame.t !== 'tables') monitors.asks(monitor, frame.requestId)
    switch (frame.t) {
      case 'startChild': {
        const { spec, type, t: _, ...subject } = frame
        const reason = forbids(policy, type, spec)
        if (reason) return this.#refuse(frame.requestId, reason)
        const ask = { ...subject, monitor }
        return starts.whenEnded(ask, recordOf(ask.resourceId), () =>
          step({ type: 'childAsked', ask, spec }),
        )
      }
      case 'permitGate': {
        const { gateName, restores, t: _, ...subject } = frame
        if (!allows(policy['virtual-machine']?.domains ?? [], gateName))
          return this.#refuse(
            frame.requestId,
            `hostPolicy: this host's policy does not allow domain ${gateName}`,
          )
        const ask = { ...subject, monitor }
        return starts.whenEnded(ask, recordOf(ask.resourceId), () =>
          step({ type: 'gatePermitAsked', ask, gateName, restores }),
        )
      }
      case 'permitCopy': {
        const { mid, gateName, t: _, ...subject } = frame
        if (!allows(policy['virtual-machine']?.domains ?? [], gateName))
          return this.#refuse(
            frame.requestId,
            `hostPolicy: this host's policy does not allow domain ${gateName}`,
          )
        return step({ type: 'copyAsked', ask: { ...subject, monitor }, mid, gateName })
      }
      case 'carried': {
        const { mid, t: _, ...subject } = frame
        return step({ type: 'carried', ask: { ...subject, monitor }, mid })
      }
      case 'signal': {
        const record = recordOf(frame.resourceId)
        const ok = record ? workloads.signal(record, frame.signal as NodeJS.Signals) : false
        return monitors.answer({ requestId: frame.requestId, ok })
      }
      case 'stop': {
        const { resourceId, requestId } = frame
        starts.cancel(resourceId)
        return step({ type: 'resourceStopAsked', resourceId, requestId })
      }
      case 'toAgent':
        return toAgent({ t: 'fromRhs', monitor, frame: frame.frame })
      case 'alive':
        return monitors.alive(monitor, frame.withinMs)
      case 'notImported': {
        const { t: _, ...refused } = frame
        return monitors.notImported(monitor, refused)
      }
      case 'late':
        return monitors.late(monitor)
      case 'hangs':
        return monitors.hangs(monitor, frame.resources, frame.detail)
      case 'tables':
        return monitors.tablesCome(frame.requestId, frame.tables)
    }
  }

  #refuse(requestId: number, reason: string): void {
    this.#parts.monitors.answer({ requestId, ok: false, reason })
  }
}
