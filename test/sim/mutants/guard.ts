/** Rules G, and what of L and C the guard keeps, switched off. */
import { GATE_LOOKS_AT_NOTHING, GRANTS_AGAIN, NO_LAST_LOOK } from './edits.ts'
import type { Mutant } from './mutant.ts'

export const GUARD_MUTANTS: readonly Mutant[] = [
  {
    rule: 'G1',
    breaks: 'the guard looks at its deadline only when the agent speaks to it',
    edits: [
      {
        file: 'probe/core/guard.ts',
        find: 'return stopTime(state.leases, state.timing)?.atMs ?? null\n}\n\nfunction lapseDue',
        replace: 'return null\n}\n\nfunction lapseDue',
      },
    ],
  },
  {
    rule: 'C3',
    breaks: 'a start needs no lease',
    edits: [
      {
        file: 'probe/core/guard-starts.ts',
        find: "if (!mayStart(state.leases, state.timing, nowMs)) return 'noLease'",
        replace: 'void mayStart\n  void nowMs',
      },
      NO_LAST_LOOK,
    ],
  },
  {
    rule: 'G2',
    breaks: 'a start needs no grant',
    edits: [
      {
        file: 'probe/core/guard-starts.ts',
        find: "if (epochOf(state.grants, ask.groupId) !== ask.epoch) return 'noGrant'",
        replace: '',
      },
    ],
  },
  {
    rule: 'G3',
    breaks: 'a child is started without a record',
    edits: [
      {
        file: 'probe/core/guard-starts.ts',
        find: "      ...(spec.daemon && { daemon: true }),\n    }),\n    effects: [{ type: 'persist' }, { type: 'spawn', ask, spec }],",
        replace:
          "      ...(spec.daemon && { daemon: true }),\n    }) && state,\n    effects: [{ type: 'persist' }, { type: 'spawn', ask, spec }],",
      },
    ],
  },
  {
    rule: 'G4',
    breaks: 'a gate passes although nothing of its name may start',
    edits: [
      {
        file: 'probe/core/guard-starts.ts',
        find: "if (!record) return no('nothing of that name may start')",
        replace: "if (!record) return { state, effects: [{ type: 'answerGate', yes: true }] }",
      },
    ],
  },
  {
    rule: 'G4',
    breaks: 'a gate passes without a look at grant and lease',
    edits: [GATE_LOOKS_AT_NOTHING],
    secondLine:
      'C3: the lease is looked at once more before the yes leaves; G5: a stop is not over while something is on record',
  },
  {
    rule: 'G4',
    breaks: 'a gate passes without a look at grant and lease, before the yes leaves neither',
    edits: [GATE_LOOKS_AT_NOTHING, NO_LAST_LOOK],
  },
  {
    rule: 'G5',
    breaks: 'a stop is acked while something of it is still on record',
    edits: [
      {
        file: 'probe/core/guard-stops.ts',
        find: '    if (state.records.some((r) => concerns(stop, r))) return true\n',
        replace:
          '    if (state.records.some((r) => concerns(stop, r)) && effects.length < 0) return true\n',
      },
    ],
  },
  {
    rule: 'G5',
    breaks: 'a stop of a group leaves its grant',
    edits: [
      {
        file: 'probe/core/guard-stops.ts',
        find: '    grants: state.grants.filter((g) => g.groupId !== groupId),\n',
        replace: '',
      },
    ],
  },
  {
    rule: 'G5',
    breaks: 'RHS is killed after what it runs',
    edits: [
      {
        file: 'probe/core/guard-stops.ts',
        find: "      { type: 'killRhs', monitor: 'all' },\n      ...state.records.map((record) => ({ type: 'terminate' as const, record })),\n",
        replace:
          "      ...state.records.map((record) => ({ type: 'terminate' as const, record })),\n      { type: 'killRhs', monitor: 'all' },\n",
      },
    ],
    secondLine: 'G2: RHS starts nothing itself; the guard forks, or the gate asks it',
  },
  {
    rule: 'G7',
    breaks: 'a late end of an earlier start ends the record of a later one',
    edits: [
      {
        file: 'probe/core/guard-stops.ts',
        find: 'if (!record || !sameProcess(record.process, process)) return nothing(state)',
        replace:
          'if (!record || (!sameProcess(record.process, process) && record.epoch < 0)) return nothing(state)',
      },
    ],
  },
  {
    rule: 'G7',
    breaks: 'a monitor with an open yes lives on when its group is stopped',
    edits: [
      {
        file: 'probe/core/guard-stops.ts',
        find: '      ...openYes(records).map((monitor) =>',
        replace: '      ...openYes([]).map((monitor) =>',
      },
    ],
    secondLine: 'G4: a gate asks for itself, and finds neither grant nor record',
  },
  {
    rule: 'G8',
    breaks: 'what runs already is started again',
    edits: [
      {
        file: 'probe/core/guard-starts.ts',
        find: 'return process ? { ...answer(ask, true), process } : null',
        replace: 'return process && nowMs < 0 ? { ...answer(ask, true), process } : null',
      },
    ],
  },
  {
    rule: 'G9',
    breaks: 'a child is forked before its record is on file',
    edits: [
      {
        file: 'probe/core/guard-starts.ts',
        find: "effects: [{ type: 'persist' }, { type: 'spawn', ask, spec }],",
        replace: "effects: [{ type: 'spawn', ask, spec }, { type: 'persist' }],",
      },
    ],
    secondLine: 'G11: a new guard ends everything that is not on its file before it says anything',
  },
  {
    rule: 'G9',
    breaks: 'a stop is acked before the file has it',
    edits: [
      {
        file: 'probe/core/guard-stops.ts',
        find: "  const persist = { type: done.effects.length > 0 ? 'persist' : 'persistLater' } as const\n  return { state: done.state, effects: [persist, ...done.effects] }",
        replace:
          "  const persist = { type: done.effects.length > 0 ? 'persist' : 'persistLater' } as const\n  return { state: done.state, effects: [...done.effects, persist] }",
      },
      {
        file: 'probe/core/guard-stops.ts',
        find: "      { type: 'persist' },\n      ...openYes(records).map((monitor) => ({ type: 'killRhs' as const, monitor })),\n      ...records.map((record) => ({ type: 'terminate' as const, record })),\n      ...done.effects,\n",
        replace:
          "      ...openYes(records).map((monitor) => ({ type: 'killRhs' as const, monitor })),\n      ...records.map((record) => ({ type: 'terminate' as const, record })),\n      ...done.effects,\n      { type: 'persist' },\n",
      },
    ],
  },
  {
    rule: 'G9',
    breaks: 'a deadline is written that was not earned',
    edits: [
      {
        file: 'probe/core/lease.ts',
        find: 'return { ...leases, pongEndMs: Math.max(leases.pongEndMs ?? 0, sentAtMs + t.ttlMs) }',
        replace:
          'return { ...leases, pongEndMs: Math.max(leases.pongEndMs ?? 0, sentAtMs + t.ttlMs + t.pingMs * 3) }',
      },
    ],
  },
  {
    rule: 'G10',
    breaks: 'a new guard adopts what it finds although the stop time has passed',
    edits: [
      {
        file: 'probe/core/guard.ts',
        find: "if (!stop || nowMs >= stop.atMs) return lapse(kept, 'pong')",
        replace: '',
      },
    ],
    secondLine:
      'L5: a lapse that is due comes first, whatever arrives, and the first look is at once',
  },
  {
    rule: 'G10',
    breaks: 'a new guard adopts the grants of an earlier boot',
    edits: [
      {
        file: 'probe/core/guard.ts',
        find: 'if (!file || file.boot !== boot) return',
        replace: 'if (!file) return',
      },
    ],
  },
  {
    rule: 'G10',
    breaks: 'a record without a grant is left running',
    edits: [
      {
        file: 'probe/core/guard.ts',
        find: 'const orphans = kept.records.filter((r) => !granted(r))',
        replace: 'const orphans = kept.records.filter((r) => !granted(r) && r.epoch < 0)',
      },
    ],
    secondLine:
      'S3, S4: what is on record is in the report, and ended by the agent or, where the hive gives it to nobody here, by a refusal',
  },
  {
    rule: 'G11',
    breaks: 'the old tree lives on beside a new guard',
    edits: [],
    shellWithout: 'G11',
  },
  {
    rule: 'G12',
    breaks: 'the watchdog is fed for as long as there is a guard',
    edits: [
      {
        file: 'probe/core/watchdog.ts',
        find: 'return end !== null && end - nowMs >= timeoutMs',
        replace: 'return end !== null || nowMs + timeoutMs > 0',
      },
    ],
  },
  {
    rule: 'G12',
    breaks: 'a yes is given however late the last feed would reset the host',
    edits: [
      {
        file: 'probe/core/watchdog.ts',
        find: 'return end !== null && end - watchdog.fedMs >= watchdog.timeoutMs',
        replace: 'return end !== null && watchdog.timeoutMs > 0',
      },
    ],
  },
  {
    rule: 'S3',
    breaks: 'what is being stopped is not in the report',
    edits: [
      {
        file: 'probe/core/guard-state.ts',
        find: '  for (const r of state.records) if (!held.has(r.groupId)) held.set(r.groupId, r.epoch)\n',
        replace: '',
      },
    ],
  },
  {
    rule: 'S3',
    breaks: 'what may be restarted and does not run just now is not in the report',
    edits: [
      {
        file: 'probe/core/guard-state.ts',
        find: 'const held = new Map(state.grants.map((g) => [g.groupId, g.epoch]))',
        replace:
          'const held = new Map(state.grants.filter((g) => state.records.some((r) => r.groupId === g.groupId)).map((g) => [g.groupId, g.epoch]))',
      },
    ],
  },
  {
    rule: 'S3',
    breaks: 'the report is made while a lapse is being carried out',
    edits: [
      {
        file: 'probe/core/guard-stops.ts',
        find: "if (state.challenge === null || state.stops.some((s) => s.kind === 'lapse')) return nothing(state)\n  const held = heldGroups(state)",
        replace: 'if (state.challenge === null) return nothing(state)\n  const held = state.grants',
      },
    ],
  },
  {
    rule: 'C2',
    breaks: 'an epoch that was seen before is granted again',
    edits: [GRANTS_AGAIN],
    secondLine: 'U1, U2: nothing but a new update asks for a grant',
  },
]
