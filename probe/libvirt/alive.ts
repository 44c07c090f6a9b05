/** IsAlive of a virtual machine (S-43): what libvirt believes, and that QEMU gives a sign of life. */
import type { Answer, Call } from '../../schema/resource-type.ts'
import { DOMAIN, type DomainState, type LibvirtClient } from './client.ts'
import { stateOf } from './domain-state.ts'
import type { HeldDomain } from './held-domain.ts'
import { isActive, statusOfState, verdictOfShutoff } from './verdict.ts'

export interface AliveOptions {
  /** What libvirt has just said of it, if it was asked about several at once. */
  readonly known: DomainState | undefined
  /** How long libvirt, and QEMU, may take to answer. */
  readonly answerMs: number
  /** After so long without an answer it has failed. */
  readonly hungMs: number
  /** QEMU is asked in any case. */
  readonly thorough: boolean
}

/**
 * libvirt's word alone is not enough: it calls a QEMU that hangs "running".
 *
 * @throws {LibvirtGone} the daemon is gone
 * @throws {LibvirtTimeout} the daemon does not answer
 */
export async function aliveOf(
  client: LibvirtClient,
  held: HeldDomain,
  call: Call,
  { known, answerMs, hungMs, thorough }: AliveOptions,
): Promise<Omit<Answer, 'guid'>> {
  const current = known ?? (await stateOf(client, held.domain, answerMs))
  if (current === null) return { status: 'offline', detail: 'the domain is not defined here' }
  if (!isActive(current.state)) {
    const verdict = verdictOfShutoff(held.run, current.reason)
    const wanted = held.persistentState === 1 && !held.run.ours
    return wanted ? verdict : { ...verdict, status: 'offline' }
  }
  if (held.waitsForReason) return { status: 'offlinePending', detail: 'the emulator has ended' }
  // It has come to wait for the guard's yes (M4): Online is what lets it go on.
  held.seenPaused = current.state === DOMAIN.paused
  if (held.waitsToGoOn(call) && held.seenPaused)
    return { status: 'offline', detail: 'a copy that waits to go on' }
  const { status, detail, askQemu } = statusOfState(current.state, current.reason)
  if (!askQemu) return { status, detail }
  const looksAt = thorough ? null : call.workload.process
  const silentMs = await held.reach(client, answerMs, looksAt)
  if (silentMs === 0) return detail === '' ? { status } : { status, detail }
  return {
    status: silentMs >= hungMs ? 'failed' : 'unknown',
    detail: `QEMU has not answered for ${(silentMs / 1000).toFixed(1)} s`,
  }
}
