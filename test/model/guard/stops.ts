/** Lapse, offline, and the stop procedure that both go through (L5, G5 to G7). */
import {
  type GuardContext,
  type GuardState,
  held,
  OWNER,
  RHS,
  SESSION,
  STOP,
  save,
} from './state.ts'

export function stopSteps(c: GuardContext): void {
  const { stepper, times } = c
  const { now } = stepper
  if (!now.guard) return
  if (held(now) && !now.stop && now.leaseAge >= times.lapse)
    stepper.step('lease lapses: grants void (file), session closed, stop procedure begins', (s) => {
      s.grant = 0
      s.session = SESSION.none
      s.stop = STOP.begun
      save(s)
    })
  if (now.session === SESSION.welcomed && now.owner === OWNER.here && now.grant && !now.stop)
    offline(c)
  if (now.stop === STOP.begun) endsRhs(c)
  if (now.stop === STOP.rhsDead) setsMark(c)
  if (now.stop === STOP.marked && now.workload)
    stepper.step('guard terminates the workload', (s) => {
      s.workload = 0
    })
  if (now.stop === STOP.marked && !now.workload) clearsRecord(c)
}

function offline({ stepper, removed }: GuardContext): void {
  const { now } = stepper
  stepper.step('offline or give-up: grant void (file), stop procedure begins', (s) => {
    s.grant = 0
    s.stop = STOP.begun
    s.ackOwed = 1
    if (!removed.voidAfterAck) save(s)
  })
  if (removed.clearWhenNotRunning && !now.workload && now.rhs === RHS.idle)
    stepper.step('nothing runs: guard drops grant and record, acks "terminated" at once', (s) => {
      s.grant = s.record = 0
      s.owner = OWNER.nobody
      save(s)
    })
}

function endsRhs({ stepper, removed }: GuardContext): void {
  const { now } = stepper
  if (removed.terminateFirst) {
    stepper.step('guard terminates the workload (RHS still alive)', (s) => {
      s.workload = 0
      s.stop = STOP.rhsDead
    })
    return
  }
  // G7: without an open yes a shared RHS may live through an offline.
  const spared = now.ackOwed > 0 && now.rhs === RHS.idle
  const rhs = removed.keepToken && now.ackOwed ? now.rhs : spared ? RHS.idle : RHS.dead
  stepper.step(rhs ? 'no yes is open, RHS may live' : 'guard kills RHS', (s) => {
    s.stop = STOP.rhsDead
    s.rhs = rhs
  })
}

function setsMark({ stepper, removed }: GuardContext): void {
  const done = (s: GuardState) => {
    s.stop = STOP.none
    s.record = 0
    save(s)
    if (stepper.now.ackOwed && stepper.now.session === SESSION.welcomed) s.owner = OWNER.nobody
  }
  if (removed.markLast)
    stepper.step('guard terminates the workload, then sets the mark; done', (s) => {
      s.mark = 1
      s.workload = 0
      done(s)
    })
  else if (removed.terminateFirst)
    stepper.step('guard kills RHS; done', (s) => {
      s.mark = 1
      s.rhs = RHS.dead
      done(s)
    })
  else
    stepper.step('guard sets the mark', (s) => {
      s.mark = 1
      s.stop = STOP.marked
    })
}

function clearsRecord({ stepper, removed, times }: GuardContext): void {
  const { now } = stepper
  const unseen = !now.record && removed.noStarting
  if (now.sinceMarked < times.recheck && !removed.noRecheck && !unseen) return
  const ack = now.ackOwed ? ', then ack "terminated"' : ''
  const label = `nothing runs and nothing can start any more: record cleared (file)${ack}`
  stepper.step(label, (s) => {
    s.stop = STOP.none
    s.record = 0
    if (removed.voidAfterAck && now.ackOwed) s.fileOwed = 1
    else save(s)
    if (now.ackOwed && now.session === SESSION.welcomed && now.owner === OWNER.here)
      s.owner = OWNER.nobody
  })
}
