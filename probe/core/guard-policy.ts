/**
 * The takeover policy of the cluster as this guard acts by it (docs/decisions/fencing.md). To go on
 * after the leases is more power, so the hive has it before it is told here. To be bound by them
 * again is less, so it is on file here before the hive is told.
 */
import type { PolicyTold } from '../../schema/fencing.ts'
import { type GuardOutcome, type GuardState, nothing } from './guard-state.ts'
import { mayStart } from './lease.ts'
import { fedInTime } from './watchdog.ts'

export function takePolicy(state: GuardState, told: PolicyTold, nowMs: number): GuardOutcome {
  if (told.takeover === 'fence')
    return {
      state: { ...state, policy: told, wanted: null },
      effects: sameAs(state.policy, told) ? [] : [{ type: 'persist' }],
    }
  if (state.policy.takeover === 'fence' && !mayTurn(state, nowMs))
    return nothing({ ...state, wanted: told })
  const next: GuardState = { ...state, policy: told, wanted: null }
  // A cluster that never had another policy has nothing to be told.
  if (told.number === 0) return nothing(next)
  return {
    state: next,
    effects: [
      { type: 'persist' },
      { type: 'toAgent', frame: { t: 'policyTaken', number: told.number } },
    ],
  }
}

/** What waited for its leases is done once both stand, whichever event brought them. */
export function policyAfter(outcome: GuardOutcome, nowMs: number): GuardOutcome {
  const { wanted } = outcome.state
  if (!wanted || !mayTurn(outcome.state, nowMs)) return outcome
  const turned = takePolicy(outcome.state, wanted, nowMs)
  return { state: turned.state, effects: [...outcome.effects, ...turned.effects] }
}

/** With leases that have run out meanwhile, being bound by them would stop everything at once. */
function mayTurn(state: GuardState, nowMs: number): boolean {
  const { grants, records, stops, leases, timing } = state
  if (grants.length === 0 && records.length === 0 && stops.length === 0) return true
  return mayStart(leases, timing, nowMs) && fedInTime(state)
}

const sameAs = (a: PolicyTold, b: PolicyTold) => a.takeover === b.takeover && a.number === b.number
