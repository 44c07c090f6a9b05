/**
 * Rules switched off, one at a time: what the simulation does not notice is a hole in it. A rule that
 * is a second line of defence is not found alone, and says so.
 */
import type { Mutation } from '../production.ts'

export interface Mutant extends Mutation {
  /** The rule of docs/rules.md that it breaks. */
  readonly rule: string
  readonly breaks: string
  /** Not found alone: what else holds when it is gone. */
  readonly secondLine?: string
}

export const MUTANTS: readonly Mutant[] = [
  {
    rule: 'D3',
    breaks: 'a node is declared Down before its lease has surely ended',
    file: 'schema/timing.ts',
    find: 'return Math.ceil((leaseMs * (1 + CLOCK_RATE_ERROR)) / (1 - CLOCK_RATE_ERROR)) + marginMs',
    replace: 'return Math.ceil(leaseMs / 4)',
  },
  {
    rule: 'L4',
    breaks: 'a lease that runs out ends nothing',
    file: 'probe/core/guard.ts',
    find: 'return stop && nowMs >= stop.atMs ? stop.lease : null',
    replace: 'return stop && nowMs < 0 ? stop.lease : null',
  },
  {
    rule: 'C3',
    breaks: 'a start needs no lease',
    file: 'probe/core/lease.ts',
    find: 'if (pongEndMs === null || authorityEndMs === null) return false',
    replace: 'if (pongEndMs === null || authorityEndMs === null) return true',
  },
  {
    rule: 'U1',
    breaks: 'the catch-up of missed updates is permission',
    file: 'probe/core/permission.ts',
    find: 'u.seq <= before || u.seq <= seqW) return []',
    replace: 'u.seq <= before) return []',
  },
  {
    rule: 'C2',
    breaks: 'an epoch that was seen before is granted again',
    file: 'probe/core/guard.ts',
    find: 'if (seen !== undefined && epoch <= seen) return deny',
    replace: 'if (seen !== undefined && epoch < 0) return deny',
  },
  {
    rule: 'S4',
    breaks: 'a report that lists what is not its own is accepted',
    file: 'worker/core/membership-manager.ts',
    find: "if (foreign || (node.state === 'down' && event.held.length > 0)) {",
    replace: "if (foreign && node.state === 'down' && event.held.length > 99) {",
  },
  {
    rule: 'S4',
    breaks: 'a guard that forgot what it runs is believed that it runs nothing',
    file: 'worker/core/membership-manager.ts',
    find: 'return node.guard !== event.guard || node.bootId !== event.bootId',
    replace: 'return false',
  },
  {
    rule: 'G10',
    breaks: 'a new guard adopts what it finds although the stop time has passed',
    file: 'probe/core/guard.ts',
    find: "if (!stop || nowMs >= stop.atMs) return lapse(kept, 'pong')",
    replace: '',
  },
  {
    rule: 'L1',
    breaks: 'the pong lease is measured from the answer',
    file: 'probe/agent/link.ts',
    find: "if (sentAt !== null) this.#events.renewed('pong', sentAt)",
    replace: "if (sentAt !== null) this.#events.renewed('pong', bootMs())",
  },
  {
    rule: 'L3',
    breaks: 'a confirm is answered without a storage write',
    file: 'worker/confirms.ts',
    find: 'this.#store.writeConfirm(Date.now(), batch.length)\n        await this.#storage.sync()',
    replace: '',
  },
  {
    rule: 'O2',
    breaks: 'a group is placed again at the epoch it had',
    file: 'worker/core/failover-manager.ts',
    find: 'epoch: free.epoch + 1,\n          correlationId',
    replace: 'epoch: free.epoch,\n          correlationId',
  },
  {
    rule: 'C5',
    breaks: 'a group is placed elsewhere without the ack of its owner',
    file: 'worker/core/failover-manager.ts',
    find: "    case 'releasing':\n        break",
    replace: '',
  },
  {
    rule: 'S-16',
    breaks: 'a repeated report has its effect again',
    file: 'worker/core/communications-manager.ts',
    find: 'return known?.run === run && n <= known.n',
    replace: 'return false',
  },
  {
    rule: 'S-68',
    breaks: 'a local stop undoes what was decided since',
    file: 'worker/core/rcm.ts',
    find: 'if ((r.stateSeq ?? 0) > intent.knownSeq)',
    replace: 'if (intent.knownSeq < 0)',
  },
]
