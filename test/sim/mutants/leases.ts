/** Rules L, and the D rules by which a node is lost, switched off. */
import { LAPSE_LEAVES_GRANTS } from './edits.ts'
import type { Mutant } from './mutant.ts'

export const LEASE_MUTANTS: readonly Mutant[] = [
  {
    rule: 'L1',
    breaks: 'the pong lease is measured from the answer',
    edits: [
      {
        file: 'probe/agent/link.ts',
        find: "if (sentAt !== null) this.#events.renewed('pong', sentAt)",
        replace: "if (sentAt !== null) this.#events.renewed('pong', bootMs())",
      },
    ],
  },
  {
    rule: 'L2',
    breaks: 'answers on a session that was not welcomed renew',
    edits: [
      {
        file: 'probe/core/guard.ts',
        find: 'if (!state.session?.welcomed || state.session.number !== event.session) return nothing(state)\n  const leases',
        replace:
          'if (state.session?.number !== event.session) return nothing(state)\n  const leases',
      },
    ],
    secondLine: 'the agent asks for nothing before the welcome',
  },
  {
    rule: 'L3',
    breaks: 'a confirm is answered without a storage write',
    edits: [
      {
        file: 'worker/confirms.ts',
        find: 'this.#store.writeConfirm(Date.now(), batch.length)\n        await this.#storage.sync()',
        replace: '',
      },
    ],
  },
  {
    rule: 'L3',
    breaks: 'the pong lease alone is enough to run',
    edits: [
      {
        file: 'probe/core/lease.ts',
        find: 'const authority = authorityEndMs ?? Number.POSITIVE_INFINITY',
        replace: 'const authority = Number.POSITIVE_INFINITY',
      },
    ],
  },
  {
    rule: 'L4',
    breaks: 'a lease that runs out ends nothing',
    edits: [
      {
        file: 'probe/core/guard.ts',
        find: 'return stop && nowMs >= stop.atMs ? stop.lease : null',
        replace: 'return stop && nowMs < 0 ? stop.lease : null',
      },
    ],
  },
  {
    rule: 'L4',
    breaks: 'stopping begins at the end of the lease (G6: T_stop is nothing)',
    edits: [
      {
        file: 'probe/core/lease.ts',
        find: "? { atMs: pong - t.stopMs, lease: 'pong' }\n    : { atMs: authority - t.stopMs, lease: 'authority' }",
        replace: "? { atMs: pong, lease: 'pong' }\n    : { atMs: authority, lease: 'authority' }",
      },
    ],
  },
  {
    rule: 'L5',
    breaks: 'a lapse leaves the grants as they are',
    edits: [LAPSE_LEAVES_GRANTS],
    secondLine: 'S4: a report that lists what the hive has given away is refused',
  },
  {
    rule: 'L6',
    breaks: 'a confirm that arrives during a write is answered by it',
    edits: [
      {
        file: 'worker/confirms.ts',
        find: 'for (const confirm of batch) {',
        replace: 'for (const confirm of [...batch, ...this.#waiting.splice(0)]) {',
      },
    ],
  },
  {
    rule: 'L6',
    breaks: 'the completion of the write is not awaited',
    edits: [
      {
        file: 'worker/confirms.ts',
        find: '        await this.#storage.sync()\n',
        replace: '',
      },
    ],
    secondLine: 'A3: the platform holds every answer until what was written is committed',
  },
  {
    rule: 'D1',
    breaks: 'the socket of a silent node stays open',
    edits: [
      {
        file: 'worker/loss-watch.ts',
        find: "      sockets.close(ws, CLOSE.suspected, { code: 'suspected', detail: 'no ping in time' })",
        replace: '      void CLOSE',
      },
    ],
  },
  {
    rule: 'D2',
    breaks: 'the wait is counted from the welcome, not from the last answer',
    edits: [
      {
        file: 'worker/liveness.ts',
        find: 'const answered = Math.max(session.lastAnswerMs ?? nowMs, session.welcomedMs)',
        replace: 'const answered = Math.max(session.welcomedMs, nowMs - t.ttlMs)',
      },
    ],
  },
  {
    rule: 'D3',
    breaks: 'a node is declared Down long before its lease has ended',
    edits: [
      {
        file: 'schema/timing.ts',
        find: 'return Math.ceil((leaseMs * (1 + CLOCK_RATE_ERROR)) / (1 - CLOCK_RATE_ERROR)) + marginMs',
        replace: 'return Math.ceil(leaseMs / 4) + 0 * marginMs * CLOCK_RATE_ERROR',
      },
    ],
  },
  {
    rule: 'D3',
    breaks: 'no room for the drift of the clocks, nor a margin',
    edits: [
      {
        file: 'schema/timing.ts',
        find: 'return Math.ceil((leaseMs * (1 + CLOCK_RATE_ERROR)) / (1 - CLOCK_RATE_ERROR)) + marginMs',
        replace: 'return leaseMs + 0 * marginMs * CLOCK_RATE_ERROR',
      },
    ],
  },
  {
    rule: 'D4',
    breaks: 'a node is declared Down and keeps its groups',
    edits: [
      {
        file: 'worker/core/membership-manager.ts',
        find: '    forgetResources(draft, group.id)\n    freeGroup(',
        replace: '    forgetResources(draft, group.id)\n    if (draft.nowMs < 0) freeGroup(',
      },
    ],
  },
  {
    rule: 'D5',
    breaks: 'an instance without memory takes over at once',
    edits: [
      {
        file: 'worker/liveness.ts',
        find: 'this.#graceMs ??= nowMs',
        replace: 'this.#graceMs ??= nowMs - 3_600_000',
      },
    ],
  },
  {
    rule: 'D5',
    breaks: 'an instance without memory waits for the pong lease only',
    edits: [
      {
        file: 'worker/core/membership-manager.ts',
        find: "return waitMs(evidence.path === 'pong' ? t.ttlMs : t.ttlAuthorityMs, t.marginMs)",
        replace: 'return waitMs(evidence.path ? t.ttlMs : t.ttlAuthorityMs, t.marginMs)',
      },
      {
        file: 'worker/liveness.ts',
        find: "const needed = waitMs(evidence.path === 'pong' ? t.ttlMs : t.ttlAuthorityMs, t.marginMs)",
        replace: 'const needed = waitMs(evidence.path ? t.ttlMs : t.ttlAuthorityMs, t.marginMs)',
      },
    ],
  },
  {
    rule: 'D5',
    breaks: 'the grace begins before the first write of the instance is durable',
    edits: [
      {
        file: 'worker/loss-watch.ts',
        find: '    await this.#deps.ctx.storage.sync()\n',
        replace: '',
      },
    ],
    secondLine:
      'A3: the storage passes to an instance with its first access, which comes before this',
  },
  {
    rule: 'D6',
    breaks: 'a wait is measured by the wall clock alone',
    edits: [
      {
        file: 'worker/liveness.ts',
        find: 'Math.min(nowMs - (lost.closedMs - lost.creditMs), lost.creditMs + lost.timedMs),',
        replace: 'nowMs - (lost.closedMs - lost.creditMs),',
      },
    ],
    secondLine:
      'D6: nobody looks before a timer of the same instance, set for the rest of the wait, has rung',
  },
  {
    rule: 'D6',
    breaks: 'time before the close counts although the clock may have stepped',
    edits: [
      {
        file: 'worker/liveness.ts',
        find: 'creditMs: vouched && age <= t.ttlMs + t.marginMs ? age : 0,',
        replace: 'creditMs: vouched || age > 0 ? age : 0,',
      },
    ],
  },
]
