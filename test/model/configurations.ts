/**
 * The configurations in which every rule stands. `states` and `steps` are what a complete search finds: a change
 * of the model that was meant to change nothing shows here.
 */
import { ConfirmModel } from './confirm.ts'
import { GuardModel } from './guard/model.ts'
import { HoldModel } from './hold/model.ts'
import type { LeaseConfig, LeaseFault } from './lease/context.ts'
import { LeaseModel } from './lease/model.ts'
import { MigrateModel } from './migrate/model.ts'
import type { Faults, Model } from './model.ts'

export interface SafeRun {
  readonly id: string
  readonly title: string
  readonly model: () => Model
  readonly states: number
  readonly steps: number
  /** From every state the groups come back. */
  readonly liveness?: true
  /** Only with `full`. */
  readonly large?: true
  /** Searched with fingerprints, and cut off at so many states. */
  readonly fingerprintsMax?: number
  /** The search is known not to end below the cut. */
  readonly cutOff?: true
}

export const faults = <Name extends string>(...names: Name[]): Faults<Name> =>
  Object.fromEntries(names.map((name) => [name, true])) as Faults<Name>

/** Leases of one tick, without a stop time: the smallest that shows the order of things. */
export const PONG = { stop: 0, pongLease: 1, pongOnly: true } as const
export const AUTHORITY = { stop: 0, pongLease: 1, authorityLease: 1, atomicPong: true } as const

const SMALL = { ...PONG, atomicPong: true, symmetric: true } as const
const EVERY_FAULT = ['restart', 'crash', 'pause', 'drop', 'fail', 'move', 'hibernate'] as const
const NODE_FAULTS = faults('drop', 'rhs', 'fail', 'crash')
const GUARD_FAULTS = faults('drop', 'rhs', 'fail', 'crash', 'guard')
const MIGRATE_FAULTS = faults('restart', 'drop', 'crash', 'fail')

const lease = (config: LeaseConfig, ...names: LeaseFault[]) => {
  return () => new LeaseModel({ ...config, faults: faults(...names) })
}

const QUICK_LEASE: readonly SafeRun[] = [
  {
    id: 'S1',
    title: 'lease by pong, DO restart, late dead connections',
    model: lease({ ...PONG, symmetric: true }, 'restart', 'crash', 'drop', 'ghost', 'move'),
    states: 179_118,
    steps: 1_884_604,
    liveness: true,
  },
  {
    id: 'S2',
    title: 'stop time 1, lease 2',
    model: lease(
      { stop: 1, pongLease: 2, pongOnly: true, symmetric: true },
      ...(['restart', 'crash', 'drop', 'pause', 'hibernate'] as const),
    ),
    states: 444_605,
    steps: 4_732_616,
    liveness: true,
  },
  {
    id: 'S3',
    title: 'authority lease, superseded DO instance alive',
    model: lease(
      { ...AUTHORITY, symmetric: true },
      ...(['restart', 'superseded', 'hibernate', 'crash', 'drop'] as const),
    ),
    states: 154_074,
    steps: 1_557_642,
    liveness: true,
  },
  {
    id: 'S4',
    title: 'authority lease longer than pong lease',
    model: lease(
      { ...AUTHORITY, authorityLease: 2, symmetric: true },
      ...(['restart', 'superseded', 'drop'] as const),
    ),
    states: 239_043,
    steps: 1_782_677,
    liveness: true,
  },
  {
    id: 'S5',
    title: 'A2 broken, takeover by D3 (b) only',
    model: lease(
      {
        ...AUTHORITY,
        symmetric: true,
        authorityWaitOnly: true,
        removed: { pongAfterClose: true },
      },
      ...(['superseded', 'restart', 'drop'] as const),
    ),
    states: 144_011,
    steps: 1_097_687,
  },
  {
    id: 'S6',
    title: 'three nodes',
    model: lease({ ...SMALL, nodes: 3 }, 'restart'),
    states: 134_627,
    steps: 992_376,
  },
  {
    id: 'S7',
    title: 'two groups',
    model: lease({ ...SMALL, groups: 2 }, 'restart'),
    states: 63_730,
    steps: 368_689,
    liveness: true,
  },
  {
    id: 'S13',
    title: 'offer and accept before the commit',
    model: lease({ ...SMALL, offers: true }, 'restart', 'crash', 'drop'),
    states: 133_413,
    steps: 1_387_640,
    liveness: true,
  },
  {
    id: 'S14',
    title: 'snapshots of the hive on the current session',
    model: lease({ ...SMALL, snapshots: true }, 'restart', 'drop', 'fail', 'move'),
    states: 175_053,
    steps: 1_342_193,
    liveness: true,
  },
  {
    id: 'S15',
    title: 'fence agent and operator, one node may be fenced',
    model: lease({ ...PONG, fence: true, atomicPong: true, calm: 2 }, 'crash', 'drop', 'ghost'),
    states: 499_761,
    steps: 4_570_056,
    liveness: true,
  },
]

/** One node from inside. */
const GUARD: readonly SafeRun[] = [
  guard('N1', 'child of RHS', new GuardModel({ way: 'child', faults: NODE_FAULTS }), 699, 3_377),
  guard('N2', 'gate process', new GuardModel({ way: 'gate', faults: NODE_FAULTS }), 1_594, 8_750),
  guard('N3', 'manager with mark', new GuardModel({ faults: NODE_FAULTS }), 7_931, 52_102),
  guard(
    'N4',
    'manager, requests bounded in time only',
    new GuardModel({ way: 'time', faults: NODE_FAULTS }),
    4_568,
    33_086,
  ),
  guard(
    'N5',
    'child, guard restarted within T_gap',
    new GuardModel({ way: 'child', gap: 1, faults: GUARD_FAULTS }),
    2_310,
    11_344,
  ),
  guard(
    'N6',
    'gate, guard restarted within T_gap',
    new GuardModel({ way: 'gate', gap: 1, faults: GUARD_FAULTS }),
    5_401,
    29_798,
  ),
  guard(
    'N7',
    'mark, guard restarted, T_x = T_gap = 2',
    new GuardModel({ residual: 2, gap: 2, faults: GUARD_FAULTS }),
    43_432,
    277_376,
  ),
  guard(
    'N8',
    'time bound, guard restarted within T_gap',
    new GuardModel({ way: 'time', gap: 1, faults: GUARD_FAULTS }),
    10_936,
    77_692,
  ),
  guard(
    'N9',
    'mark, guard perhaps never back, watchdog',
    new GuardModel({ watchdog: 2, lease: 4, faults: GUARD_FAULTS }),
    57_098,
    408_301,
  ),
  guard(
    'N10',
    'child, guard perhaps never back, watchdog',
    new GuardModel({ way: 'child', watchdog: 2, lease: 4, faults: GUARD_FAULTS }),
    7_607,
    44_150,
  ),
]

function guard(id: string, title: string, model: Model, states: number, steps: number): SafeRun {
  return { id, title, model: () => model, states, steps, liveness: true }
}

const QUICK_OTHERS: readonly SafeRun[] = [
  {
    id: 'K1',
    title: 'coalesced confirms, two holders, superseded instances',
    model: () => new ConfirmModel({}),
    states: 31_881,
    steps: 241_554,
    liveness: true,
  },
  {
    id: 'K2',
    title: 'the same, longer lease',
    model: () => new ConfirmModel({ lease: 2 }),
    states: 173_809,
    steps: 1_309_261,
    liveness: true,
  },
  {
    id: 'V1',
    title: 'live migration, all faults',
    model: () => new MigrateModel({ faults: MIGRATE_FAULTS }),
    states: 10_701,
    steps: 113_808,
    liveness: true,
  },
  {
    id: 'V2',
    title: 'the same, longer lease',
    model: () => new MigrateModel({ lease: 2, faults: MIGRATE_FAULTS }),
    states: 21_581,
    steps: 231_588,
    liveness: true,
  },
  {
    id: 'H1',
    title: 'hold, two nodes, all faults',
    model: () => new HoldModel({ nodes: 2, faults: faults('restart', 'crash') }),
    states: 155_670,
    steps: 1_394_308,
    liveness: true,
  },
  {
    id: 'H2',
    title: 'hold, three nodes, faults on the holder only',
    model: () => new HoldModel({ askers: 0b001, calm: 0b110 }),
    states: 19_788,
    steps: 129_439,
  },
  {
    id: 'H3',
    title: 'hold, three nodes, one Down at the start',
    model: () => new HoldModel({ askers: 0b001, calm: 0b110, startDown: 0b100 }),
    states: 38_130,
    steps: 237_946,
  },
  {
    id: 'H4',
    title: 'hold, view of two grows to three',
    model: () => new HoldModel({ views: [0b011, 0b111], askers: 0b001, calm: 0b110 }),
    states: 542_872,
    steps: 3_986_321,
  },
  {
    id: 'H5',
    title: 'hold, view of three grows to four, holder has the old view',
    model: () =>
      new HoldModel({
        nodes: 4,
        views: [0b0111, 0b1111],
        startView: 1,
        askers: 0b0001,
        calm: 0b1110,
      }),
    states: 455_168,
    steps: 3_738_032,
  },
]

const LARGE: readonly SafeRun[] = [
  {
    id: 'S8',
    title: 'lease by pong, all faults but late connections',
    model: lease({ ...PONG, symmetric: true }, ...EVERY_FAULT),
    states: 1_351_687,
    steps: 15_807_620,
    liveness: true,
    large: true,
  },
  {
    id: 'S9',
    title: 'both leases, ping and pong apart, superseded instance',
    model: lease(
      { stop: 0, pongLease: 1, authorityLease: 2, symmetric: true },
      ...(['superseded'] as const),
    ),
    states: 920_804,
    steps: 5_809_983,
    liveness: true,
    large: true,
  },
  {
    id: 'S10',
    title: 'two groups, more faults',
    model: lease({ ...SMALL, groups: 2 }, 'restart', 'crash', 'drop', 'move', 'fail'),
    states: 2_461_050,
    steps: 25_604_583,
    large: true,
  },
  {
    id: 'S11',
    title: 'three nodes, more faults',
    model: lease({ ...SMALL, nodes: 3 }, 'restart', 'crash', 'drop', 'move'),
    states: 537_968,
    steps: 5_941_920,
    large: true,
  },
  {
    id: 'S12',
    title: 'both leases, every fault at once',
    model: lease({ ...AUTHORITY, symmetric: true }, ...EVERY_FAULT, 'superseded', 'ghost'),
    states: 12_469_695,
    steps: 177_715_230,
    large: true,
    fingerprintsMax: 170_000_000,
  },
  {
    id: 'S16',
    title: 'fence agent and operator on both nodes, DO restart',
    model: lease({ ...SMALL, fence: true }, 'restart', 'crash', 'drop'),
    states: 6_388_830,
    steps: 80_317_017,
    liveness: true,
    large: true,
  },
  {
    id: 'H6',
    title: 'hold, three nodes, everybody asks (wide)',
    model: () => new HoldModel({ symmetric: true }),
    states: 58_439_177,
    steps: 0,
    large: true,
    fingerprintsMax: 55_000_000,
    cutOff: true,
  },
  {
    id: 'H7',
    title: 'hold, three nodes, one holder, one calm node, all faults',
    model: () => new HoldModel({ askers: 0b001, calm: 0b100, faults: faults('restart', 'crash') }),
    states: 9_137_024,
    steps: 94_036_788,
    large: true,
    fingerprintsMax: 170_000_000,
  },
  {
    id: 'H8',
    title: 'hold, three nodes, two ask, one calm node',
    model: () => new HoldModel({ askers: 0b011, calm: 0b100 }),
    states: 7_108_136,
    steps: 62_979_235,
    large: true,
    fingerprintsMax: 170_000_000,
  },
]

export const SAFE_RUNS: readonly SafeRun[] = [...QUICK_LEASE, ...GUARD, ...QUICK_OTHERS, ...LARGE]
