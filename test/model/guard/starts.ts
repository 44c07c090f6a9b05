/** How a start gets from the guard's yes to a process: RHS, and a manager outside of our reach (G3, G4). */
import { type GuardContext, type GuardState, mayStart, RHS, save } from './state.ts'

export function startSteps(c: GuardContext): void {
  const { stepper, removed } = c
  const { now } = stepper
  if (now.rhs === RHS.idle && !now.workload && mayStart(c, now)) asks(c)
  if (now.fileOwed && now.guard) stepper.step('guard writes the file late', save)
  actsOnYes(c, 'rhs')
  actsOnYes(c, 'oldRhs')
  if (now.rhs === RHS.issued)
    stepper.step('RHS gets an answer or gives up waiting', (s) => {
      s.rhs = RHS.idle
      if (!removed.noStarting || !s.workload || !s.guard) return
      s.record = 1
      save(s)
    })
  const unrecorded = now.workload && now.grant && !now.record && !now.stop
  if (removed.noStarting && now.guard && unrecorded)
    stepper.step('guard records "running"', (s) => {
      s.record = 1
      save(s)
    })
  if (now.requests) manager(c)
  if (now.accepted) comesToLife(c)
}

function asks({ way, stepper, removed }: GuardContext): void {
  if (way === 'gate') {
    if (stepper.now.requests < 2)
      stepper.step('RHS asks the manager to start the gate process', (s) => {
        s.requests += 1
      })
    return
  }
  stepper.step('guard records "starting" (file first), lifts the mark, says yes to RHS', (s) => {
    s.rhs = RHS.holdsYes
    s.mark = 0
    if (!removed.noStarting) s.record = 1
    if (removed.yesBeforeFile) s.fileOwed = 1
    else save(s)
  })
}

function actsOnYes({ way, stepper }: GuardContext, which: 'rhs' | 'oldRhs'): void {
  const { now } = stepper
  if (now[which] !== RHS.holdsYes) return
  if (way !== 'child' && now.requests >= 2) return
  const label =
    which === 'oldRhs'
      ? 'an RHS left over from the earlier guard acts on its old yes'
      : way === 'child'
        ? 'RHS starts the workload as a child'
        : 'RHS sends the start request to the manager'
  stepper.step(label, (s) => {
    s[which] = which === 'rhs' ? RHS.issued : RHS.dead
    if (way !== 'child') {
      s.requests += 1
      return
    }
    s.workload = 1
    if (which === 'rhs') s.rhs = RHS.idle
  })
}

/** One request is taken from the manager's queue. */
function manager(c: GuardContext): void {
  const { way, stepper, removed } = c
  const taken = (label: string, change: (s: GuardState) => void) =>
    stepper.step(label, (s) => {
      s.requests -= 1
      s.requestAge = s.secondRequestAge
      change(s)
    })
  if (way === 'gate') gateAsks(c, taken)
  else if (way === 'mark' && !removed.noMark) looksAtMark(c, taken)
  else executes(c, taken)
}

type Taken = (label: string, change: (s: GuardState) => void) => void

function gateAsks(c: GuardContext, taken: Taken): void {
  const { now } = c.stepper
  if (mayStart(c, now) && !now.workload)
    taken('gate process asks the guard: yes, recorded; it becomes the workload', (s) => {
      s.workload = s.record = 1
      save(s)
    })
  else taken('gate process asks the guard: no (or no guard); it exits', () => {})
}

function looksAtMark({ stepper }: GuardContext, taken: Taken): void {
  if (stepper.now.mark) taken('manager refuses the request: mark', () => {})
  else if (!stepper.now.accepted)
    taken('manager accepts the request', (s) => {
      s.accepted = 1
    })
}

function executes({ way, stepper }: GuardContext, taken: Taken): void {
  taken('manager executes the request', (s) => {
    s.workload = 1
  })
  taken('manager drops the request', () => {})
  if (way !== 'time' || stepper.now.requests < 2) return
  for (const workload of [1, stepper.now.workload])
    stepper.step('manager takes the younger request first', (s) => {
      s.requests -= 1
      s.secondRequestAge = 0
      s.workload = workload
    })
}

/** A request that has passed the mark becomes a process within T_x, or never (A7). */
function comesToLife({ stepper }: GuardContext): void {
  stepper.step('manager starts the workload', (s) => {
    s.accepted = 0
    s.workload = 1
  })
  stepper.step('manager fails to start the workload', (s) => {
    s.accepted = 0
  })
}
