/** What `doctor` and the preflight of `join` look at. Looking changes nothing. */
import type { Refusal } from '../../schema/errors.ts'
import type { HostPolicy } from '../../schema/host-policy.ts'
import { askGuard } from './ask-guard.ts'
import { diskSpace, hostPolicyFile, identity, runFolder, stateFolder } from './checks-folders.ts'
import { bootId, fileLimits, killGroups, processLimits, uptime, watchdog } from './checks-kernel.ts'
import { clock, controlPlane, type NetworkLook } from './checks-network.ts'
import { otherGuard, otherManagers, serviceManager, virtualMachines } from './checks-services.ts'

export interface Check {
  readonly name: string
  /** `info`: to know; `warning`: works, and could be better; `problem`: something will not work. */
  readonly state: 'ok' | 'info' | 'warning' | 'problem'
  readonly found: string
  /** What to do about it, as a command where there is one. */
  readonly fix?: string
  /** Without this a host cannot join at all. */
  readonly refusal?: Refusal
}

export interface Examined {
  readonly state: string
  readonly run: string
  readonly policy: string
  /** Root of the file system that is looked at, for tests; `/` is this host. */
  readonly root: string
  /** What the guard of this host says, where one answers. */
  readonly guard: GuardAnswer | null
  readonly network: NetworkLook
}

export interface GuardAnswer {
  readonly killHandles: 'cgroup' | 'mark'
  readonly guard: { readonly pid: number }
  readonly node: { readonly id: string }
}

export async function guardOf(run: string): Promise<GuardAnswer | null> {
  return askGuard(run, { do: 'status' }).catch(() => null) as Promise<GuardAnswer | null>
}

/** All of them, in the order in which a host needs them. */
export async function examine(host: Examined): Promise<Check[]> {
  const file = await hostPolicyFile(host)
  const policy: HostPolicy = file.policy
  return [
    stateFolder(host),
    identity(host),
    otherGuard(host),
    file.check,
    controlPlane(host.network),
    clock(host.network),
    killGroups(host),
    serviceManager(host),
    runFolder(host),
    diskSpace(host),
    processLimits(host),
    fileLimits(host),
    bootId(),
    uptime(),
    watchdog(),
    await virtualMachines(host, policy),
    otherManagers(host, policy),
  ].filter((check) => check !== null)
}

const SIGNS = { ok: '✔', info: 'i', warning: '!', problem: '✗' } as const

/** The numbered list, with what to do below what is not well. */
export function renderChecks(checks: readonly Check[]): string {
  const width = Math.max(...checks.map((check) => check.name.length))
  return checks
    .flatMap(({ name, state, found, fix }, i) => [
      `${String(i + 1).padStart(2)} ${SIGNS[state]} ${name.padEnd(width)}  ${found}`,
      ...(fix === undefined ? [] : [`${' '.repeat(width + 7)}→ ${fix}`]),
    ])
    .join('\n')
}

export const problemsIn = (checks: readonly Check[]): number =>
  checks.filter((check) => check.state === 'problem').length

export const checkView = ({ name, state, found, fix }: Check, i: number) => ({
  ...{ number: i + 1, name, state, found },
  ...(fix !== undefined && { fix }),
})
