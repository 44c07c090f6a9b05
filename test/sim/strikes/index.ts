/** All kinds of faults, by name. */
import { FREEZES } from './freezes.ts'
import { ON_CONTROL_PLANE } from './on-control-plane.ts'
import { ON_HOSTS } from './on-hosts.ts'
import { ON_MODULES } from './on-modules.ts'
import { ON_MOVES } from './on-moves.ts'
import { ON_NETWORK } from './on-network.ts'
import type { Blow, StrikeOf } from './strike.ts'

const ORDINARY = { ...ON_HOSTS, ...ON_NETWORK, ...ON_CONTROL_PLANE, ...ON_MODULES, ...ON_MOVES }
const ALL = { ...ORDINARY, ...FREEZES }

export type StrikeKind = keyof typeof ALL
export const STRIKE_KINDS = Object.keys(ORDINARY) as StrikeKind[]
/** Only in histories that are counted apart (A5). */
export const FREEZE_KINDS = Object.keys(FREEZES) as StrikeKind[]
export const isStrikeKind = (text: string): text is StrikeKind => Object.hasOwn(ALL, text)

export const carryOut = (kind: StrikeKind, blow: Blow): void => (ALL[kind] as StrikeOf)(blow)
