/**
 * Every rule removed, one at a time: the shortest way to two owners that this opens (`breaks` after so many
 * steps). Where nothing breaks, the rule is a second line of defence in the model: it covers assumptions that
 * are broken elsewhere, and the search without it is complete with so many `states`.
 */
import { AUTHORITY, faults, PONG } from './configurations.ts'
import { type ConfirmConfig, ConfirmModel, type ConfirmRule } from './confirm.ts'
import { GuardModel } from './guard/model.ts'
import type { GuardConfig, GuardRule } from './guard/state.ts'
import { HoldModel } from './hold/model.ts'
import type { HoldConfig, HoldRule } from './hold/state.ts'
import type { LeaseConfig, LeaseRule } from './lease/context.ts'
import { LeaseModel } from './lease/model.ts'
import { MigrateModel } from './migrate/model.ts'
import type { MigrateConfig, MigrateRule } from './migrate/state.ts'
import type { Model, Removed } from './model.ts'

export interface Removal {
  /** The options that remove it, joined by `+`. */
  readonly name: string
  /** The rule of docs/rules.md that is removed. */
  readonly rule: string
  readonly model: () => Model
  readonly expected: Expected
}

export type Expected =
  | { readonly breaks: 'I1' | 'I5'; readonly after: number }
  | { readonly breaks: null; readonly states: number }

const breaks = (after: number): Expected => ({ breaks: 'I1', after })
const stale = (after: number): Expected => ({ breaks: 'I5', after })
const secondLine = (states: number): Expected => ({ breaks: null, states })

function removed<Rule extends string>(names: readonly Rule[]): Removed<Rule> {
  return Object.fromEntries(names.map((name) => [name, true])) as Removed<Rule>
}

/** One entry of the table: the names of the options, the rule, the configuration, what is to be found. */
type Row<Rule extends string, Config> = readonly [
  names: readonly Rule[],
  rule: string,
  config: Config,
  expected: Expected,
]

function removals<Rule extends string, Config>(
  rows: readonly Row<Rule, Config>[],
  make: (config: Config & { removed: Removed<Rule>; onlyDual: true }) => Model,
): Removal[] {
  return rows.map(([names, rule, config, expected]) => ({
    name: names.join('+'),
    rule,
    model: () => make({ ...config, removed: removed(names), onlyDual: true }),
    expected,
  }))
}

const LOSSES: readonly Row<LeaseRule, LeaseConfig>[] = [
  [['noReread'], 'D2', PONG, breaks(23)],
  [['noClose'], 'D1', PONG, breaks(21)],
  [['noMargin'], 'D3', PONG, breaks(21)],
  [['noRestartGrace'], 'D5', { ...PONG, faults: faults('restart') }, breaks(20)],
  [
    ['graceFromPongTtl'],
    'D5 (grace of one pong lease only)',
    { ...AUTHORITY, authorityLease: 2, faults: faults('superseded') },
    breaks(20),
  ],
  [['noAuthorityLease'], 'L3', { ...AUTHORITY, faults: faults('superseded') }, breaks(18)],
  [['pongAfterClose'], 'A2 (assumption)', AUTHORITY, breaks(20)],
  [['fromReceipt'], 'L1', PONG, breaks(22)],
  [['noStopTime'], 'L4', { stop: 1, pongLease: 2, pongOnly: true }, breaks(24)],
  [['noGuard'], 'G1', { ...PONG, faults: faults('pause') }, breaks(23)],
  [['vmPause'], 'A5 (assumption)', { ...PONG, faults: faults('pause') }, breaks(23)],
  [['checkThenExec'], 'G2', PONG, breaks(25)],
]

const COMMANDS: readonly Row<LeaseRule, LeaseConfig>[] = [
  [['noLeaseCheck'], 'C3', PONG, breaks(16)],
  [['noSessionCheck'], 'C1', { ...PONG, faults: faults('drop', 'restart') }, breaks(23)],
  [
    ['noSessionCheck', 'noEpochCheck'],
    'C1, C2',
    { ...PONG, faults: faults('drop', 'move') },
    breaks(23),
  ],
  [['noReportSession'], 'S2', { ...PONG, faults: faults('drop') }, breaks(22)],
  [['reportAgentMemory'], 'S3', PONG, breaks(22)],
  [['reportRunningOnly'], 'S3 (grants)', { ...PONG, faults: faults('drop', 'fail') }, breaks(24)],
  [['noLapseClear', 'noProof'], 'L5, S4', { ...PONG, faults: faults('fail') }, breaks(32)],
  [['sendBeforeCommit'], 'C4', { ...PONG, faults: faults('restart') }, breaks(19)],
  [['moveNoWait'], 'C5', { ...PONG, faults: faults('move') }, breaks(20)],
  [['noEpochCheck'], 'C2', { ...PONG, faults: faults('drop', 'restart') }, secondLine(58_547)],
  [['noLapseClear'], 'L5', { ...PONG, faults: faults('fail') }, secondLine(109_389)],
  [['noProof'], 'S4', { ...PONG, faults: faults('restart', 'drop', 'crash') }, secondLine(58_551)],
  [
    ['lapseKeepsSession'],
    'L5 (session part)',
    { ...PONG, faults: faults('drop') },
    secondLine(86_571),
  ],
  [
    ['pingBeforeWelcome'],
    'L2',
    { ...PONG, faults: faults('restart', 'drop') },
    secondLine(198_125),
  ],
  [['ghostResets'], 'S5', { ...PONG, faults: faults('ghost') }, secondLine(132_455)],
]

const ONE_STEP_PONG = { ...PONG, atomicPong: true } as const
const FENCED = { ...ONE_STEP_PONG, fence: true, calm: 2 } as const

const UPDATES_AND_FENCING: readonly Row<LeaseRule, LeaseConfig>[] = [
  [
    ['replicaGrants'],
    'U1 (replica on disk)',
    { ...ONE_STEP_PONG, faults: faults('crash') },
    breaks(21),
  ],
  [['snapshotGrants'], 'U1 (snapshot)', { ...ONE_STEP_PONG, faults: faults('crash') }, breaks(18)],
  [
    ['catchupGrants'],
    'U2 (updates missed before the welcome)',
    { ...ONE_STEP_PONG, faults: faults('drop') },
    breaks(18),
  ],
  [
    ['noEpochCheck'],
    'U4 (C2, with a snapshot that grants on the current session)',
    { ...ONE_STEP_PONG, snapshots: true, faults: faults('fail', 'move') },
    breaks(20),
  ],
  [['acceptNoCas'], 'O2', { ...ONE_STEP_PONG, offers: true }, breaks(18)],
  [['fenceOnRequest'], 'F1', FENCED, breaks(16)],
  [['fenceNoBoot'], 'F2 (older request)', FENCED, breaks(23)],
  [
    ['fenceAnyBoot'],
    'F2, F5 (any boot, also by an operator)',
    { ...FENCED, faults: faults('crash') },
    breaks(18),
  ],
  [['keepsOldBoot'], 'F3', { ...FENCED, faults: faults('crash') }, breaks(19)],
  [['fenceNoClose'], 'F4', { ...FENCED, faults: faults('crash') }, secondLine(276_585)],
]

const CONFIRMS: readonly Row<ConfirmRule, ConfirmConfig>[] = [
  [['earlierWrite'], 'L6 (write begun after arrival)', {}, breaks(11)],
  [['noWrite'], 'L6 (completion awaited)', {}, breaks(10)],
  [['graceFromStart'], 'D5 (counted from the start of the instance)', {}, breaks(9)],
]

const DROP = faults('drop')
const DEATHS = faults('guard', 'drop')

const STARTS: readonly Row<GuardRule, GuardConfig>[] = [
  [['terminateFirst'], 'G5 (RHS first), child', { way: 'child', faults: DROP }, breaks(10)],
  [['terminateFirst'], 'G5 (RHS first), manager', { way: 'time', faults: DROP }, breaks(11)],
  [['noStarting'], 'G3', { faults: faults('drop', 'rhs') }, breaks(13)],
  [['noMark'], 'G4 (no mark, no bound)', { faults: DROP }, breaks(14)],
  [['unbounded'], 'A7 (bound broken, no mark)', { way: 'time', faults: DROP }, breaks(14)],
  [['markLast'], 'G5 (mark before terminate)', { faults: DROP }, breaks(12)],
  [['noRecheck'], 'G5 (re-check)', { faults: DROP }, breaks(13)],
  [['recheckNoMargin'], 'G5 (strictly more than T_x)', { faults: DROP }, breaks(14)],
  [['stopWithoutTX'], 'G6 (T_x in T_stop)', { faults: DROP }, breaks(16)],
  [
    ['stopWithoutGap'],
    'G6 (T_gap in T_stop)',
    { way: 'child', gap: 1, faults: DEATHS },
    breaks(12),
  ],
  [['keepToken'], 'G7 (open yes), child', { way: 'child', faults: DROP }, breaks(11)],
  [['keepToken'], 'G7 (open yes), mark', { faults: DROP }, secondLine(8_599)],
  [['clearWhenNotRunning'], 'G7 (record ends by G5 only)', { faults: faults('rhs') }, breaks(11)],
  [['reportRunning'], 'S3 (records are listed)', { faults: DROP }, breaks(12)],
]

const GUARD_DEATHS: readonly Row<GuardRule, GuardConfig>[] = [
  [['yesBeforeFile'], 'G9 (file before the yes)', { gap: 1, faults: DEATHS }, breaks(20)],
  [
    ['voidAfterAck'],
    'G9 (file before the ack)',
    { way: 'child', gap: 1, faults: DEATHS },
    breaks(14),
  ],
  [['adoptAlways'], 'G10 (deadline)', { way: 'child', gap: 1, faults: DEATHS }, breaks(14)],
  [
    ['deadlineAhead'],
    'G9 (deadline after the answer)',
    { way: 'child', gap: 1, faults: DEATHS },
    breaks(15),
  ],
  [
    ['noBootId'],
    'G10 (boot id)',
    { way: 'child', gap: 1, faults: faults('guard', 'crash', 'drop') },
    breaks(14),
  ],
  [['oldRhsLives'], 'G11, child', { way: 'child', gap: 1, faults: DEATHS }, breaks(14)],
  [['oldRhsLives'], 'G11, mark', { gap: 1, faults: DEATHS }, secondLine(36_138)],
  [
    ['noRestart'],
    'A6 (nobody restarts the guard, no watchdog)',
    { way: 'child', gap: 1, faults: faults('guard') },
    breaks(13),
  ],
  [
    ['feedAlways'],
    'G12 (fed until a deadline is missed)',
    { way: 'child', watchdog: 2, lease: 4, faults: faults('guard') },
    breaks(16),
  ],
]

const EVERY = faults('restart', 'drop', 'crash', 'fail')

const MIGRATIONS: readonly Row<MigrateRule, MigrateConfig>[] = [
  [['autoRun'], 'M2 (paused on the target)', {}, breaks(10)],
  [
    ['autoRun', 'trustManager'],
    'M2, with a manager that never errs',
    { faults: faults('drop') },
    breaks(10),
  ],
  [['resumeWithoutAck'], 'M4', {}, breaks(12)],
  [['ackEarly'], 'M3 (ack only when gone)', {}, breaks(14)],
  [['resumeAfterDown'], 'M5', { faults: faults('drop', 'crash') }, stale(16)],
  [['restartAndAck'], 'M3 (grant dropped with the ack)', { faults: faults('fail') }, stale(16)],
  [['anyEpochAck'], 'M6', { faults: EVERY }, breaks(16)],
  [['keepCopy'], 'M7', { faults: EVERY }, secondLine(25_381)],
  [['copyOutlivesLease'], 'M7 (lapse)', { faults: EVERY }, secondLine(14_641)],
]

const NAIVE = { rule: 'naive', calm: 0b100, askers: 1 } as const

const HOLDS: readonly Row<HoldRule, HoldConfig>[] = [
  [['ignoreFence'], 'H4', { nodes: 2 }, breaks(9)],
  [['noMajority'], 'H6', { askers: 1, calm: 0b100 }, breaks(9)],
  [['noMeshWait'], 'H7', { nodes: 2 }, breaks(9)],
  [['noMeshMargin'], 'H7 (margin)', { nodes: 2 }, breaks(9)],
  [['welcomeNoFence'], 'H8', { nodes: 2, faults: faults('crash') }, breaks(12)],
  [['volatileIntent'], 'H5', { nodes: 2, faults: faults('restart', 'crash') }, secondLine(172_514)],
  [['holdMinority'], 'H3', { nodes: 2 }, breaks(8)],
  [
    ['latestViewOnly'],
    'H9',
    { nodes: 4, views: [0b0111, 0b1111], calm: 0b1110, startView: 1, askers: 1 },
    breaks(12),
  ],
  [['voteWithoutStanding'], 'H2', { calm: 0b010, startDown: 0b100 }, breaks(9)],
]

/** The first sketch of the hold policy, as it was and repaired by timers: no rule is removed by an option. */
const SKETCHES: readonly Removal[] = [
  {
    name: 'naive+noDoMajority',
    rule: 'H1 (the sketch, without a majority at the DO)',
    model: () => new HoldModel({ ...NAIVE, removed: { noDoMajority: true }, onlyDual: true }),
    expected: breaks(8),
  },
  {
    name: 'naive',
    rule: 'H1 (the sketch as proposed)',
    model: () => new HoldModel({ ...NAIVE, onlyDual: true }),
    expected: breaks(9),
  },
  {
    name: 'naive, silence 1 and join delay, slow pings',
    rule: 'H1 (the sketch with silence, join delay, slow pings)',
    model: () =>
      new HoldModel({
        ...NAIVE,
        calm: 0b010,
        quiet: 1,
        joinDelay: true,
        slowPing: true,
        onlyDual: true,
      }),
    expected: breaks(13),
  },
]

export const REMOVALS: readonly Removal[] = [
  ...removals([...LOSSES, ...COMMANDS, ...UPDATES_AND_FENCING], (c) => new LeaseModel(c)),
  ...removals(CONFIRMS, (c) => new ConfirmModel(c)),
  ...removals([...STARTS, ...GUARD_DEATHS], (c) => new GuardModel(c)),
  ...removals(MIGRATIONS, (c) => new MigrateModel(c)),
  ...SKETCHES,
  ...removals(HOLDS, (c) => new HoldModel(c)),
]
