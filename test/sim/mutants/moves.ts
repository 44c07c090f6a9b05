/** The rules of live migration, switched off (M1 to M7). */
import type { Mutant } from './mutant.ts'

const ANY_COPY_IS_TAKEN_UP = {
  file: 'probe/core/guard-copies.ts',
  find: 'const copy = state.copies.find((c) => c.groupId === groupId && c.mid === resume?.mid)\n  const fits = copy?.process && !copy.ending && copy.epoch + 1 === epoch',
  replace:
    'const copy = state.copies.find((c) => c.groupId === groupId && resume !== null)\n  const fits = copy?.process && !copy.ending && epoch > 0',
}

export const MOVE_MUTANTS: readonly Mutant[] = [
  {
    rule: 'M1',
    breaks: 'the source is asked to move before there is a place for the copy',
    edits: [
      {
        file: 'schema/carry.ts',
        find: "return ownership.phase === 'releasing' && carry?.method === 'live' && carry.to === undefined",
        replace: "return ownership.phase === 'free' && carry?.method === 'live'",
      },
    ],
    secondLine: 'M7: a manager that knows of no target moves nothing, and the source says so',
  },
  {
    rule: 'M1',
    breaks: 'a copy is reported as held',
    edits: [
      {
        file: 'probe/core/guard-state.ts',
        find: '  const held = new Map(state.grants.map((g) => [g.groupId, g.epoch]))\n',
        replace:
          '  const held = new Map([...state.copies, ...state.grants].map((g) => [g.groupId, g.epoch]))\n',
      },
    ],
    secondLine: 'S4, M7: a report that lists it is refused, and by the next one it is discarded',
  },
  {
    rule: 'M2',
    breaks: 'a copy executes as soon as it is whole',
    edits: [],
    shellWithout: 'M2',
  },
  {
    rule: 'M3',
    breaks: 'the manager is believed that it is moved, while its process is on record',
    edits: [
      {
        file: 'probe/core/guard-copies.ts',
        find: 'if (state.records.some((r) => r.groupId === groupId))',
        replace: 'if (state.records.some((r) => r.groupId === groupId && r.epoch < 0))',
      },
    ],
  },
  {
    rule: 'M3',
    breaks: 'what is started again after it was moved leaves its copy standing',
    edits: [
      {
        file: 'probe/core/guard-copies.ts',
        find: '  state.carried.filter((c) => c.groupId !== groupId)\n',
        replace: '  state.carried.filter((c) => c.groupId !== groupId || c.epoch > 0)\n',
      },
    ],
    secondLine: 'C5: a group that is leaving starts nothing',
  },
  {
    rule: 'M4',
    breaks: 'any copy of a group is taken up when it is placed',
    edits: [ANY_COPY_IS_TAKEN_UP],
  },
  {
    rule: 'M5',
    breaks: 'a group that was lost without an ack is placed with its copy',
    edits: [
      {
        file: 'worker/core/carrying.ts',
        find: "if (ownership.phase !== 'releasing' || !ownership.carry || acked === undefined) return {}",
        replace: "if (ownership.phase !== 'releasing' || !ownership.carry) return {}",
      },
      {
        file: 'worker/core/carrying.ts',
        find: 'if (mid !== acked) return {}',
        replace: 'if (acked !== undefined && mid !== acked) return {}',
      },
    ],
  },
  {
    rule: 'M6',
    breaks: 'an ack counts for whatever migration it names',
    edits: [
      {
        file: 'worker/core/carrying.ts',
        find: 'if (mid !== acked) return {}',
        replace: "if (mid === '') return {}",
      },
    ],
    secondLine:
      'M3: a guard forgets what was carried with the next start of it, and what it acks is of the epoch that it holds',
  },
  {
    rule: 'M7',
    breaks: 'a copy that the hive does not speak of any more stays',
    edits: [
      {
        file: 'probe/core/guard.ts',
        find: 'return discardCopies(state, (copy) => !event.mids.includes(copy.mid))',
        replace: "return discardCopies(state, (copy) => copy.mid === '' && event.mids.length > 0)",
      },
    ],
  },
  {
    rule: 'M7',
    breaks: 'a copy outlives a lapse of its node',
    edits: [
      {
        file: 'probe/core/guard-stops.ts',
        find: '  const discarded = discardCopies(next)\n',
        replace: '  const discarded = { state: next, effects: [] }\n',
      },
    ],
    secondLine: 'M7: the next session discards it, and by then no ack names its epoch',
  },
]
