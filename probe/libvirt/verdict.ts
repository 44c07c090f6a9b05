/**
 * What the end of a virtual machine means: a crash to be repaired, or somebody's intent to be
 * respected (S-62). Pure.
 *
 * libvirt says "Stopped Shutdown" both for a guest that shut down and for a QEMU that got a
 * SIGTERM; the "Shutdown" event before it tells them apart. A signal is no intent: the host may be
 * going down.
 */
import type { ReportedStatus } from '../../schema/status.ts'
import { DOMAIN, EVENT } from './client.ts'

/** One run of a domain, from its start to its end. */
export interface Run {
  /** The cluster itself is stopping it: its end is no news. */
  readonly ours: boolean
  /**
   * The cluster has had it migrated or saved, and libvirt may still be at it, whatever became of the
   * monitor that asked: an end by that is nobody's wish (M5).
   */
  readonly moves: boolean
  /** Who asked for the shutdown that is under way. */
  readonly shutdownBy: 'guest' | 'host' | null
  /** What was said about its end. One end has one meaning. */
  readonly verdict: Verdict | null
}

export interface Verdict {
  readonly status: Extract<ReportedStatus, 'offline' | 'stopped'>
  readonly detail: string
}

export type OnGuestShutdown = 'stop' | 'restart'

export const NEW_RUN: Run = { ours: false, moves: false, shutdownBy: null, verdict: null }

/** virDomainEventStoppedDetailType */
export const STOPPED = {
  shutdown: 0,
  destroyed: 1,
  crashed: 2,
  migrated: 3,
  saved: 4,
  failed: 5,
  fromSnapshot: 6,
} as const

/** virDomainEventShutdownDetailType */
export const SHUTDOWN = { finished: 0, guest: 1, host: 2 } as const

/** virDomainShutoffReason */
export const SHUTOFF = {
  unknown: 0,
  shutdown: 1,
  destroyed: 2,
  crashed: 3,
  migrated: 4,
  saved: 5,
  failed: 6,
  fromSnapshot: 7,
  daemon: 8,
} as const

/** virDomainPausedReason */
const PAUSED = { ioError: 5, watchdog: 6, crashed: 10, startingUp: 11, postcopyFailed: 13 } as const

/** The run after one lifecycle event. */
export function afterEvent(
  run: Run,
  event: { readonly event: number; readonly detail: number },
  onGuestShutdown: OnGuestShutdown,
): Run {
  switch (event.event) {
    case EVENT.started:
      return NEW_RUN
    case EVENT.shutdown:
      if (event.detail === SHUTDOWN.guest) return { ...run, shutdownBy: 'guest' }
      if (event.detail === SHUTDOWN.host) return { ...run, shutdownBy: 'host' }
      return run
    case EVENT.stopped:
      return ended(run, verdictOfStop(run, event.detail, onGuestShutdown))
    default:
      return run
  }
}

/**
 * The run after its process has been seen to end, before libvirt has said why. While libvirt may
 * still speak (`patience`) a crash and an administrator's destroy look the same; waiting costs
 * nothing, since libvirt starts the domain again only after it has taken note of the end.
 */
export function afterExit(run: Run, patience: boolean, onGuestShutdown: OnGuestShutdown): Run {
  if (run.shutdownBy === 'guest') return ended(run, guestShutdown(onGuestShutdown))
  if (patience) return run
  return ended(run, {
    status: 'offline',
    detail: 'the emulator has ended; libvirt does not say why',
  })
}

/** What a domain that does not run is, when only libvirt's word is there to go by. */
export function verdictOfShutoff(run: Run, reason: number): Verdict {
  if (run.verdict !== null) return run.verdict
  if (run.ours) return { status: 'offline', detail: 'stopped by the cluster' }
  switch (reason) {
    case SHUTOFF.destroyed:
      return DESTROYED
    case SHUTOFF.saved:
      return run.moves ? LEFT : SAVED
    case SHUTOFF.migrated:
      return run.moves ? LEFT : MIGRATED
    case SHUTOFF.crashed:
    case SHUTOFF.failed:
    case SHUTOFF.daemon:
      return { status: 'offline', detail: 'the virtual machine has crashed' }
    default:
      // A shutdown nobody watched may have been a signal as well: keep it running.
      return { status: 'offline', detail: 'the virtual machine does not run' }
  }
}

/** What libvirt's state means while a process is there. `askQemu`: only QEMU's answer decides. */
export function statusOfState(
  state: number,
  reason: number,
): { status: ReportedStatus; detail: string; askQemu: boolean } {
  switch (state) {
    case DOMAIN.running:
    case DOMAIN.blocked:
    case DOMAIN.pmSuspended:
      return { status: 'online', detail: '', askQemu: true }
    case DOMAIN.paused:
      return paused(reason)
    case DOMAIN.shutdown:
      return { status: 'offlinePending', detail: 'the guest shuts down', askQemu: false }
    case DOMAIN.crashed:
      return { status: 'failed', detail: 'the guest has crashed', askQemu: false }
    default:
      return { status: 'offline', detail: 'the virtual machine does not run', askQemu: false }
  }
}

/** Whether a process belongs to this state. */
export function isActive(state: number): boolean {
  return state !== DOMAIN.shutoff && state !== DOMAIN.none
}

function paused(reason: number): { status: ReportedStatus; detail: string; askQemu: boolean } {
  switch (reason) {
    case PAUSED.ioError:
      return { status: 'failed', detail: 'paused by an I/O error of a disk', askQemu: false }
    case PAUSED.watchdog:
    case PAUSED.crashed:
    case PAUSED.postcopyFailed:
      return { status: 'failed', detail: 'paused by a failure of the guest', askQemu: false }
    case PAUSED.startingUp:
      return { status: 'onlinePending', detail: 'starting up', askQemu: false }
    default:
      // Paused by somebody, or for a moment by a snapshot: that is no failure.
      return { status: 'online', detail: 'paused', askQemu: true }
  }
}

function ended(run: Run, verdict: Verdict): Run {
  return run.verdict === null ? { ...run, verdict } : run
}

function verdictOfStop(run: Run, detail: number, onGuestShutdown: OnGuestShutdown): Verdict {
  if (run.ours) return { status: 'offline', detail: 'stopped by the cluster' }
  switch (detail) {
    case STOPPED.shutdown:
      return run.shutdownBy === 'guest'
        ? guestShutdown(onGuestShutdown)
        : { status: 'offline', detail: 'the emulator was told to end by a signal' }
    case STOPPED.destroyed:
      return DESTROYED
    case STOPPED.saved:
      return run.moves ? LEFT : SAVED
    case STOPPED.migrated:
      return run.moves ? LEFT : MIGRATED
    case STOPPED.fromSnapshot:
      return { status: 'stopped', detail: 'reverted to a snapshot that does not run' }
    default:
      return { status: 'offline', detail: 'the virtual machine has crashed' }
  }
}

function guestShutdown(onGuestShutdown: OnGuestShutdown): Verdict {
  return onGuestShutdown === 'stop'
    ? { status: 'stopped', detail: 'the guest has shut down' }
    : { status: 'offline', detail: 'the guest has shut down, and is to be started again' }
}

const DESTROYED: Verdict = { status: 'stopped', detail: 'destroyed by an administrator' }
const SAVED: Verdict = { status: 'stopped', detail: 'saved by an administrator' }
/** What has left goes nowhere on: nobody has acknowledged it (M5). */
const LEFT: Verdict = {
  status: 'offline',
  detail: 'it has left in a move that was not seen to end',
}
/** Starting it here again would run it twice. */
const MIGRATED: Verdict = { status: 'stopped', detail: 'migrated away by an administrator' }
