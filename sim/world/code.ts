/** The production code under test, by name: one bundle for a run of the simulation. */
import type { Agent } from '../../probe/agent/agent.ts'
import type { Identity } from '../../probe/agent/identity.ts'
import type { Link } from '../../probe/agent/link.ts'
import type { LocalStops } from '../../probe/agent/local-stops.ts'
import type { Replica } from '../../probe/agent/replica.ts'
import type {
  adoptGuard,
  guardDeadline,
  guardStep,
  heldGroups,
  leaseStands,
} from '../../probe/core/guard.ts'
import type { emptyRhs, rhsDeadline, rhsStep } from '../../probe/core/rhs.ts'
import type { Saver } from '../../probe/guard/saver.ts'
import type { Starts } from '../../probe/guard/starts.ts'
import type { Watchdog } from '../../probe/guard/watchdog.ts'
import type { step } from '../../worker/core/step.ts'
import type { ClusterClass } from './platform.ts'
import { type Mutation, production } from './production.ts'

/** Rules that only the simulated shell of the guard, or the simulated manager, keeps. */
export type ShellRule = 'G11' | 'M2'

export interface Code {
  readonly Cluster: ClusterClass
  readonly Agent: typeof Agent
  readonly Identity: typeof Identity
  readonly Link: typeof Link
  readonly LocalStops: typeof LocalStops
  readonly Replica: typeof Replica
  readonly Saver: typeof Saver
  readonly Starts: typeof Starts
  readonly adoptGuard: typeof adoptGuard
  readonly guardDeadline: typeof guardDeadline
  readonly guardStep: typeof guardStep
  readonly heldGroups: typeof heldGroups
  readonly leaseStands: typeof leaseStands
  readonly emptyRhs: typeof emptyRhs
  readonly rhsDeadline: typeof rhsDeadline
  readonly rhsStep: typeof rhsStep
  readonly step: typeof step
  readonly Watchdog: typeof Watchdog
  /** A rule that the simulated shell of the guard, which is no production code, does not keep. */
  readonly shellWithout: ShellRule | null
}

export async function loadCode(
  mutation: Mutation | null = null,
  shellWithout: ShellRule | null = null,
): Promise<Code> {
  const code = await production<Omit<Code, 'shellWithout'>>(
    {
      Cluster: 'worker/cluster-object.ts',
      Agent: 'probe/agent/agent.ts',
      Identity: 'probe/agent/identity.ts',
      Link: 'probe/agent/link.ts',
      LocalStops: 'probe/agent/local-stops.ts',
      Replica: 'probe/agent/replica.ts',
      Saver: 'probe/guard/saver.ts',
      Starts: 'probe/guard/starts.ts',
      adoptGuard: 'probe/core/guard.ts',
      guardDeadline: 'probe/core/guard.ts',
      guardStep: 'probe/core/guard.ts',
      heldGroups: 'probe/core/guard.ts',
      leaseStands: 'probe/core/guard.ts',
      emptyRhs: 'probe/core/rhs.ts',
      rhsDeadline: 'probe/core/rhs.ts',
      rhsStep: 'probe/core/rhs.ts',
      step: 'worker/core/step.ts',
      Watchdog: 'probe/guard/watchdog.ts',
    },
    mutation,
  )
  return { ...code, shellWithout }
}
