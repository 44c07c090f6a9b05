/** The guard dies and a new one comes, the watchdog, the host (G9 to G12, A6). */
import { type GuardContext, type GuardState, held, RHS, SESSION, STOP, save } from './state.ts'

export function deathSteps(c: GuardContext): void {
  const { now } = c.stepper
  if (c.faults.guard && now.guard && (now.gapBudget || !c.times.gapBounded)) guardDies(c)
  if (!now.guard) guardComes(c)
  if (c.times.watchdog) feedsWatchdog(c)
  const fired = c.times.watchdog > 0 && now.watchdogAge >= c.times.watchdog
  if (fired || c.faults.crash) hostResets(c, fired)
}

function guardDies({ stepper, removed, times }: GuardContext): void {
  stepper.step('!guard dies', (s) => {
    s.guard = s.gapAge = 0
    if (times.gapBounded) s.gapBudget = 0
    s.session = SESSION.none
    s.grant = s.record = s.stop = s.ackOwed = s.fileOwed = 0
    s.leaseAge = times.noLease
    if (s.rhs === RHS.holdsYes && removed.oldRhsLives) s.oldRhs = RHS.holdsYes
  })
}

/** G10, G11: adopts only what its own boot recorded, before its stop time. */
function guardComes({ stepper, removed, times }: GuardContext): void {
  const { now } = stepper
  const earlierBoot = now.fileOldBoot > 0
  const late = now.fileAge >= times.lapse
  const comes = (label: string, change: (s: GuardState) => void) =>
    stepper.step(label, (s) => {
      s.guard = 1
      s.rhs = RHS.idle
      change(s)
    })
  if (earlierBoot && !removed.noBootId)
    comes('new guard: file of an earlier boot, ignored', (s) => {
      s.grant = s.record = 0
      s.leaseAge = times.noLease
      save(s)
    })
  else if (now.fileGrant && (!late || removed.adoptAlways || (removed.noBootId && earlierBoot)))
    comes('new guard kills the old RHS, adopts grants and records from the file', (s) => {
      s.grant = 1
      s.record = s.fileRecord
      s.leaseAge = earlierBoot || (removed.adoptAlways && late) ? 0 : s.fileAge
      save(s)
    })
  else if (now.fileGrant || now.fileRecord || now.workload)
    comes(
      'new guard: deadline passed or no grant: stop procedure for all that is recorded or found',
      (s) => {
        s.grant = 0
        s.record = 1
        s.stop = STOP.begun
        s.leaseAge = times.noLease
        save(s)
      },
    )
  else
    comes('new guard: nothing recorded, nothing found', (s) => {
      s.leaseAge = times.noLease
    })
}

/** G12: only while its reset would come before the lease end, or with nothing to protect. */
function feedsWatchdog({ stepper, removed, times }: GuardContext): void {
  const { now } = stepper
  if (!now.guard || !now.watchdogAge) return
  const inTime = times.watchdog <= times.lease - now.leaseAge
  const allowed = removed.feedAlways
    ? now.leaseAge < times.lapse || !held(now)
    : (!held(now) && !now.stop) || inTime
  if (!allowed) return
  stepper.step('guard feeds the watchdog', (s) => {
    s.watchdogAge = 0
  })
}

function hostResets({ stepper, faults, times }: GuardContext, fired: boolean): void {
  stepper.step(`${fired ? '' : '!'}host resets`, (s) => {
    s.grant = s.record = s.stop = s.ackOwed = s.sinceMarked = s.session = 0
    s.requests = s.accepted = s.workload = s.oldRhs = s.watchdogAge = s.fileOwed = 0
    s.guard = s.gapAge = 0
    s.gapBudget = s.mark = 1
    s.rhs = RHS.idle
    s.leaseAge = times.noLease
    if (!times.watchdog || faults.crash) s.fileOldBoot = s.fileGrant || s.fileRecord ? 1 : 0
    else s.fileGrant = s.fileRecord = s.fileOldBoot = 0
  })
}
