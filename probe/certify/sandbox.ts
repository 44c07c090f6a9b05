/**
 * A module's surroundings without a cluster: real starts in real kill groups, made by the code of the
 * guard itself, with a lease that never ends.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HeldResource, RhsToGuard, WorkloadRecord } from '../../schema/ipc.ts'
import type { Call, ResourceModule } from '../../schema/resource-type.ts'
import type { ChildSpec } from '../../schema/workload.ts'
import { identityOf, isAlive } from '../gate/proc.ts'
import { type KillHandles, killHandles } from '../guard/cgroup.ts'
import { Workloads } from '../guard/workloads.ts'
import { waitingShells } from '../os/action-shell.ts'
import { killPid, MARK } from '../os/marks.ts'
import { GuardLink } from '../rhs/guard-link.ts'
import { makeCall } from '../rhs/make-call.ts'

/** Where a contract is tried: it makes calls, and knows what runs because of them. */
export interface Bench {
  call(of: Asked): Call
  /** Live processes of a resource. */
  runs(guid: string): readonly number[]
  /** Children of this process that no guard has started: nobody would end them in time (G2). */
  strays(): readonly number[]
  /** Makes the workload end in a way that nobody has asked for. */
  breakIt(guid: string): Promise<void>
}

export interface Asked {
  readonly guid: string
  readonly persistentState: 0 | 1
  readonly signal?: AbortSignal
}

const PATIENT: HeldResource['poll'] = {
  isAliveMs: 5_000,
  looksAliveMs: 60_000,
  pendingMs: 180_000,
  deadlockMs: 300_000,
}

export interface SandboxParts {
  readonly module: ResourceModule
  readonly properties: Record<string, unknown>
  /** Of its logs and notes. */
  readonly folder: string
  /** A GUID that names its kill groups. */
  readonly owner: string
  /** Why the host policy does not allow a start, or null. */
  readonly forbids: (spec: ChildSpec) => string | null
  readonly log: (message: string) => void
}

export class Sandbox implements Bench {
  readonly #parts: SandboxParts
  readonly #handles: KillHandles
  readonly #workloads: Workloads
  readonly #link: GuardLink
  readonly #records = new Map<string, WorkloadRecord>()
  readonly #stops = new Map<string, (() => void)[]>()
  readonly #groupId = randomUUID()
  readonly #before = new Set(children())

  constructor(parts: SandboxParts) {
    this.#parts = parts
    mkdirSync(parts.folder, { recursive: true })
    this.#handles = killHandles(parts.owner)
    this.#workloads = new Workloads(this.#handles, parts.folder, {
      mainEnded: (resourceId, process, { code, signal, output }, left, empty) => {
        const cause = { code, signal, output, ...(left && { left: true as const }) }
        this.#link.exited(resourceId, process, { ...cause, empty })
      },
      nothingRuns: (resourceId) => this.#nothingRuns(resourceId),
    })
    this.#link = new GuardLink((frame) => this.#fromModule(frame))
  }

  call({ guid, persistentState, signal }: Asked): Call {
    const { module, properties, log } = this.#parts
    const held: HeldResource = {
      ...{ guid, name: 'certified', groupId: this.#groupId, epoch: 1, type: module.type },
      ...{
        properties: properties as HeldResource['properties'],
        persistentState,
        dependent: false,
      },
      ...{ target: persistentState, leaving: false, stopHere: 'no', hiveSeq: 1, poll: PATIENT },
      restart: { attempts: 0, periodMs: 0, delayMs: 0, retryAfterMs: 0 },
    }
    return makeCall(held, module, this.#link, {
      nodeName: 'this-host',
      signal: signal ?? new AbortController().signal,
      progress: log,
      log,
    })
  }

  runs(guid: string): readonly number[] {
    const { process, group } = this.#records.get(guid) ?? {}
    if (!process || group === undefined) return []
    // One that has just been forked may not be in its kill group yet.
    const main = isAlive(process) ? [process.pid] : []
    return [...new Set([...main, ...this.#handles.members(group)])]
  }

  strays(): readonly number[] {
    // What the guard starts, and what waits to be started, is marked from its first moment on.
    const own = children().filter((pid) => !this.#before.has(pid) && identityOf(pid) !== null)
    const idle = waitingShells()
    return own.filter((pid) => !idle.has(pid) && !isMarked(pid))
  }

  async breakIt(guid: string): Promise<void> {
    const record = this.#records.get(guid)
    if (!record?.process || record.group === undefined) return
    if (isAlive(record.process)) killPid(record.process.pid)
    this.#handles.killAll(record.group)
  }

  /** Nothing that was started here stays. */
  async end(): Promise<void> {
    await Promise.all([...this.#records.keys()].map((guid) => this.#stop(guid)))
    // Killed is not yet gone; what is still going keeps its folder for the moment.
    for (let again = 0; again < 20; again += 1) {
      this.#handles.end()
      if (this.#handles.groups().length === 0) return
      await sleep(10)
    }
  }

  #fromModule(frame: RhsToGuard): void {
    switch (frame.t) {
      case 'startChild':
        this.#start(frame)
        break
      case 'stop':
        void this.#stop(frame.resourceId).then(() => this.#answer(frame.requestId, true))
        break
      case 'signal': {
        const record = this.#records.get(frame.resourceId)
        const signal = frame.signal as NodeJS.Signals
        this.#answer(frame.requestId, !!record && this.#workloads.signal(record, signal))
        break
      }
      case 'permitGate':
        this.#answer(frame.requestId, false, 'there is no gate here')
        break
    }
  }

  #start({ requestId, ...frame }: Extract<RhsToGuard, { t: 'startChild' }>): void {
    const { resourceId, groupId, epoch, spec } = frame
    const forbidden = this.#parts.forbids(spec)
    if (forbidden !== null) return this.#answer(requestId, false, forbidden)
    const known = this.#records.get(resourceId)
    const isOver = known?.process && !known.daemon && !isAlive(known.process)
    if (isOver || this.#workloads.isEnding(resourceId)) {
      // Its end is on its way here: RHS would not come back that soon. Of a daemon it has been told, and what
      // it has left is being killed yet.
      this.#whenOver(resourceId, () => this.#start({ requestId, ...frame }))
      return
    }
    if (known?.process) return this.#link.answered({ requestId, ok: true, process: known.process })
    try {
      const { process, group } = this.#workloads.spawn(resourceId, spec)
      const { daemon, undo } = spec
      const id = { resourceId, groupId, epoch, way: 'child', phase: 'running' } as const
      this.#records.set(resourceId, { ...id, process, group, daemon, undo })
      this.#link.answered({ requestId, ok: true, process })
    } catch (error) {
      this.#answer(requestId, false, (error as Error).message)
    }
  }

  #answer(requestId: number, ok: boolean, reason?: string): void {
    // A guard never answers in the turn in which it was asked.
    setImmediate(() => this.#link.answered({ requestId, ok, reason }))
  }

  #stop(guid: string): Promise<void> {
    const record = this.#records.get(guid)
    if (!record) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenOver(guid, resolve)
      this.#workloads.terminate(record)
    })
  }

  #whenOver(guid: string, then: () => void): void {
    this.#stops.set(guid, [...(this.#stops.get(guid) ?? []), then])
  }

  #nothingRuns(guid: string): void {
    this.#records.delete(guid)
    const waiting = this.#stops.get(guid) ?? []
    this.#stops.delete(guid)
    for (const then of waiting) then()
  }
}

function isMarked(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`${MARK}=`)
  } catch {
    // It has just ended.
    return true
  }
}

function children(): number[] {
  return readdirSync('/proc/self/task').flatMap((task) => {
    try {
      const text = readFileSync(`/proc/self/task/${task}/children`, 'latin1')
      return text.split(' ').filter(Boolean).map(Number)
    } catch {
      // A thread that has just ended.
      return []
    }
  })
}
