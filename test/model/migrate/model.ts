/**
 * Live migration of a virtual machine (rules M): one group, two nodes, a manager on both hosts that may
 * finish or fail at any time. Sessions, reports and leases are atomic here (the lease and guard models
 * have them in full); command and ack queues hold one message each way.
 */
import type { Emit, Faults, Model, Removed } from '../model.ts'
import { at } from '../record.ts'
import { Stepper } from '../stepper.ts'
import {
  ACK,
  breakJob,
  COMMAND,
  COPY,
  guestExecutes,
  JOB,
  killAll,
  type MigrateConfig,
  type MigrateRule,
  type MigrateState,
  makeState,
  NOBODY,
  type Node,
  newEpoch,
  normalise,
  RUNS,
  SIZE,
} from './state.ts'

type Change = (next: MigrateState, node: Node) => void

export class MigrateModel implements Model {
  readonly size = SIZE
  readonly #removed: Removed<MigrateRule>
  readonly #faults: Faults<'restart' | 'drop' | 'crash' | 'fail'>
  readonly #lease: number
  readonly #onlyDual: boolean
  readonly #stepper = new Stepper(makeState, normalise)
  readonly #seen = makeState()

  constructor(config: MigrateConfig) {
    this.#removed = config.removed ?? {}
    this.#faults = config.faults ?? {}
    this.#lease = config.lease ?? 1
    this.#onlyDual = config.onlyDual ?? false
  }

  initial(): Uint8Array {
    const state = makeState()
    state.group.owner = NOBODY
    for (const node of state.nodes) node.leaseAge = this.#lease + 1
    return state.bytes
  }

  steps(state: Uint8Array, emit: Emit): void {
    this.#stepper.begin(state, emit)
    this.#time()
    if (this.#faults.restart)
      this.#stepper.step('!DO restarts', ({ nodes }) => {
        for (const node of nodes) node.session = 0
      })
    if (this.#stepper.now.group.job) this.#manager()
    if (this.#stepper.now.group.owner === NOBODY) for (const n of [0, 1]) this.#place(n)
    for (const n of [0, 1]) {
      this.#session(n)
      this.#orders(n)
      this.#commands(n)
      this.#workload(n)
      this.#ends(n)
    }
  }

  #step(n: number, label: string, change: Change): void {
    this.#stepper.step(label, (next) => change(next, at(next.nodes, n)))
  }

  #time(): void {
    const { nodes } = this.#stepper.now
    const keepsCopy = this.#removed.copyOutlivesLease
    const due = (node: Node) => node.grant || node.runs || (node.copy && !keepsCopy)
    if (nodes.some((node) => node.leaseAge >= this.#lease && due(node))) return
    this.#stepper.step('tick', (next) => {
      for (const node of next.nodes) node.leaseAge = Math.min(this.#lease + 1, node.leaseAge + 1)
    })
  }

  #manager(): void {
    const { group, nodes } = this.#stepper.now
    const [s, t] = [group.source, 1 - group.source]
    const step = (label: string, change: Change) => this.#step(s, label, change)
    if (group.job === JOB.preCopy && at(nodes, s).runs === RUNS.executes && at(nodes, t).copy)
      step(`manager pauses the guest on n${s} for the switch-over`, (next, source) => {
        next.group.job = JOB.switchOver
        source.runs = RUNS.paused
      })
    if (group.job === JOB.switchOver) this.#copyComplete(t)
    if (group.job === JOB.complete)
      step(`manager ends the guest on n${s}: migrated`, (next, source) => {
        next.group.job = JOB.none
        source.runs = RUNS.no
        source.movedAway = 1
      })
    if (group.job < JOB.failed && !(this.#removed.trustManager && group.job === JOB.complete))
      step(
        `!migration fails as n${s} sees it (for example its connection to n${t} breaks)`,
        (next) => {
          next.group.job = next.group.job === JOB.preCopy ? JOB.none : JOB.failed
        },
      )
    if (group.job === JOB.failed)
      step(`manager resumes the guest on n${s}`, (next, source) => {
        next.group.job = JOB.none
        if (source.runs !== RUNS.paused) return
        source.runs = RUNS.executes
        guestExecutes(next)
      })
  }

  /** M2: it arrives paused. */
  #copyComplete(t: number): void {
    const executes = this.#removed.autoRun
    const how = executes ? ' and executes at once' : ', paused'
    this.#step(t, `the copy on n${t} is complete${how}`, (next, target) => {
      next.group.job = JOB.complete
      target.copy = COPY.complete
      target.copyStale = 0
      if (!executes) return
      target.runs = RUNS.executes
      target.copy = COPY.none
    })
  }

  #place(n: number): void {
    const { group, nodes } = this.#stepper.now
    const node = at(nodes, n)
    if (!node.up || !node.session || node.command) return
    const place = (command: number, how: string) =>
      this.#step(n, `DO commits the group -> n${n} with a new epoch, "${how}"`, (next, me) => {
        next.group.owner = n
        next.group.resumable = 0
        me.command = command
        newEpoch(next)
      })
    if (group.resumable === 1 + n) place(COMMAND.resume, 'resume the copy')
    place(COMMAND.start, 'start')
  }

  /** Losing and getting a session, and the lease that goes with it. */
  #session(n: number): void {
    const { group, nodes } = this.#stepper.now
    const node = at(nodes, n)
    const owns = group.owner === n
    if (node.up && !node.session && node.leaseAge > this.#lease)
      this.#step(n, `DO declares n${n} Down${owns ? ', the group is free' : ''}`, (next, me) => {
        me.up = 0
        if (!owns) return
        next.group.owner = NOBODY
        const copied = at(next.nodes, 1 - n).copy === COPY.complete
        next.group.resumable = this.#removed.resumeAfterDown && copied ? 1 + (1 - n) : 0
      })
    if (!node.session) this.#reports(n)
    if (node.session && this.#faults.drop)
      this.#step(n, `!n${n} loses its session`, (_, me) => {
        me.session = 0
      })
    if (node.session && node.up)
      this.#step(n, `n${n} renews its lease`, (_, me) => {
        me.leaseAge = 0
      })
  }

  #reports(n: number): void {
    const { group, nodes } = this.#stepper.now
    const node = at(nodes, n)
    const owns = group.owner === n
    const holds = node.grant || node.runs
    if (holds && !(node.up && owns)) return
    const free = (next: MigrateState) => {
      if (!owns) return
      next.group.owner = NOBODY
      next.group.resumable = 0
    }
    const what = holds ? 'the group' : 'nothing (a leftover copy is discarded before)'
    this.#step(n, `n${n} reports ${what} and is welcomed`, (next, me) => {
      me.session = me.up = 1
      if (holds) return
      me.leaseAge = this.#lease + 1
      me.copy = COPY.none
      breakJob(next, n)
      free(next)
    })
    if (!holds && node.copy)
      this.#step(n, `n${n} reports nothing but a copy and is welcomed`, (next, me) => {
        me.session = me.up = 1
        free(next)
      })
  }

  /** What the object asks of the owner, and what it takes from its ack (M4, M6). */
  #orders(n: number): void {
    const { group, nodes } = this.#stepper.now
    const [node, other] = [at(nodes, n), at(nodes, 1 - n)]
    if (group.owner === n && node.session && !node.command) {
      if (node.grant && other.session)
        this.#step(n, `!DO asks n${n} to migrate to n${1 - n}`, (_, me) => {
          me.command = COMMAND.migrate
        })
      this.#step(n, `!DO sends offline to n${n}`, (_, me) => {
        me.command = COMMAND.offline
      })
    }
    if (node.ack) {
      const inTheCopy = node.ack === ACK.inTheCopy
      const what = inTheCopy ? 'terminated, the state is in the copy' : 'terminated'
      this.#step(n, `DO takes the ack of n${n}: ${what}`, (next, me) => {
        const counts = group.owner === n && (me.ackOfEpoch || this.#removed.anyEpochAck)
        me.ack = ACK.none
        if (!counts) return
        next.group.owner = NOBODY
        next.group.resumable = inTheCopy ? 1 + (1 - n) : 0
      })
    }
    const complete = node.copy === COPY.complete
    if (this.#removed.resumeWithoutAck && group.owner === 1 - n && complete && node.session)
      this.#step(n, `n${n} reports a complete copy, DO commits the group to it`, (next, me) => {
        next.group.owner = n
        me.command = COMMAND.resume
        newEpoch(next)
      })
  }

  #commands(n: number): void {
    const node = at(this.#stepper.now.nodes, n)
    const mayStart = node.leaseAge < this.#lease && !node.runs
    if (node.command === COMMAND.start && mayStart)
      this.#step(n, `n${n} starts the group`, (next, me) => {
        me.command = COMMAND.none
        me.grant = 1
        if (!this.#removed.keepCopy) {
          me.copy = COPY.none
          breakJob(next, n)
        }
        me.runs = RUNS.executes
        guestExecutes(next)
      })
    if (node.command === COMMAND.resume && mayStart) this.#resumes(n)
    if (node.command === COMMAND.offline && !node.ack)
      this.#step(n, `n${n} stops the group and acks`, (next, me) => {
        me.command = COMMAND.none
        breakJob(next, n)
        me.grant = me.runs = 0
        me.ack = ACK.terminated
        me.ackOfEpoch = 1
      })
    if (node.command === COMMAND.migrate) this.#migrates(n)
  }

  #resumes(n: number): void {
    const node = at(this.#stepper.now.nodes, n)
    if (node.copy === COPY.complete)
      this.#step(n, `n${n} resumes the copy`, (next, me) => {
        me.command = COMMAND.none
        me.grant = 1
        me.runs = me.copyStale ? RUNS.stale : RUNS.executes
        me.copy = COPY.none
        breakJob(next, n)
        guestExecutes(next)
      })
    else if (!node.ack)
      this.#step(n, `n${n} has no complete copy: gives up`, (_, me) => {
        me.command = COMMAND.none
        me.ack = ACK.terminated
        me.ackOfEpoch = 1
      })
  }

  #migrates(n: number): void {
    const { group, nodes } = this.#stepper.now
    const [node, other] = [at(nodes, n), at(nodes, 1 - n)]
    const ready = other.leaseAge < this.#lease && !other.copy && !other.runs
    if (node.runs === RUNS.executes && node.grant && !group.job && ready)
      this.#step(n, `n${n} begins to migrate to n${1 - n}`, (next, me) => {
        me.command = COMMAND.none
        next.group.job = JOB.preCopy
        next.group.source = n
        at(next.nodes, 1 - n).copy = COPY.incomplete
      })
    else
      this.#step(n, `n${n} cannot migrate now`, (_, me) => {
        me.command = COMMAND.none
      })
  }

  #workload(n: number): void {
    const { group, nodes } = this.#stepper.now
    const node = at(nodes, n)
    const early = this.#removed.ackEarly && group.job === JOB.complete && group.source === n
    const gone = node.movedAway && !node.runs
    if (node.grant && node.session && !node.ack && (gone || early))
      this.#step(
        n,
        `n${n} drops its grant and acks: terminated, the state is in the copy`,
        (_, me) => {
          if (!this.#removed.restartAndAck) me.grant = 0
          me.movedAway = 0
          me.ack = ACK.inTheCopy
          me.ackOfEpoch = 1
        },
      )
    const ended = this.#faults.fail || node.movedAway
    if (node.grant && !node.runs && node.leaseAge < this.#lease && ended)
      this.#step(n, `n${n}: local restart`, (next, me) => {
        me.movedAway = 0
        me.runs = RUNS.executes
        guestExecutes(next)
      })
    if (node.runs === RUNS.executes && node.grant && this.#faults.fail && !group.job)
      this.#step(n, `!n${n}: the guest fails`, (_, me) => {
        me.runs = RUNS.no
      })
  }

  #ends(n: number): void {
    const { group, nodes } = this.#stepper.now
    const node = at(nodes, n)
    if (node.copy && !(group.job && group.source === 1 - n))
      this.#step(n, `n${n} discards its copy`, (_, me) => {
        me.copy = COPY.none
      })
    const holds = node.grant || node.runs || node.copy
    if (node.leaseAge >= this.#lease && holds)
      this.#step(n, `n${n} lapses: everything is terminated, copies too`, (next, me) => {
        const kept = this.#removed.copyOutlivesLease ? me.copy : COPY.none
        killAll(next, n)
        me.copy = kept
      })
    if (this.#faults.crash && (node.session || holds))
      this.#step(n, `!n${n} crashes and reboots`, (next, me) => {
        killAll(next, n)
        me.leaseAge = this.#lease + 1
      })
  }

  broken(state: Uint8Array): string | null {
    this.#seen.bytes.set(state)
    const { group, nodes } = this.#seen
    if (nodes.some((node) => node.runs === RUNS.stale))
      return 'I5 a stale copy was resumed: memory older than the disk'
    if (nodes.every((node) => node.runs)) return 'I1 dual ownership'
    if (this.#onlyDual) return null
    const stray = nodes.findIndex((node, n) => node.runs && group.owner !== n)
    return stray < 0 ? null : `I2 it runs on n${stray} but the hive does not say so`
  }

  settled(state: Uint8Array): boolean {
    this.#seen.bytes.set(state)
    const { group, nodes } = this.#seen
    if (group.owner === NOBODY || group.job) return false
    const owner = at(nodes, group.owner)
    return owner.runs === RUNS.executes && owner.grant === 1
  }
}
