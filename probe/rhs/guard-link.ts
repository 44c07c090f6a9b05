/** RHS's side of the guard: requests for a yes, and what the guard has on record. */
import { randomInt } from 'node:crypto'
import type { RhsToGuard, WorkloadRecord } from '../../schema/ipc.ts'
import type { WorkloadExit } from '../../schema/resource-type.ts'
import type { ChildSpec, ProcessRef } from '../../schema/workload.ts'

/** The guard said no. */
export class GuardRefused extends Error {
  /** It may say yes later: no lease yet, a stop under way. Not a failure of the resource. */
  readonly forNow: boolean
  constructor(reason: string) {
    super(reason)
    this.name = 'GuardRefused'
    this.forNow = ['noGrant', 'noLease', 'stopping'].includes(reason)
  }
}

interface Answer {
  readonly requestId: number
  readonly ok: boolean
  readonly reason?: string | undefined
  readonly process?: ProcessRef | undefined
}

interface Subject {
  readonly resourceId: string
  readonly groupId: string
  readonly epoch: number
}

export class GuardLink {
  readonly #send: (frame: RhsToGuard) => void
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  readonly #processes = new Map<string, ProcessRef>()
  readonly #listeners = new Map<string, Set<(exit: WorkloadExit) => void>>()
  /** Not from 1 in each RHS: the guard may still answer a request of the one before. */
  #nextId = randomInt(2 ** 47)

  constructor(send: (frame: RhsToGuard) => void) {
    this.#send = send
  }

  /** G8: what runs already, by the guard's record. */
  adopt(records: readonly WorkloadRecord[]): void {
    for (const r of records) if (r.process) this.#processes.set(r.resourceId, r.process)
  }

  processOf(resourceId: string): ProcessRef | null {
    return this.#processes.get(resourceId) ?? null
  }

  /** @throws {GuardRefused} */
  async startChild(subject: Subject, type: string, spec: ChildSpec): Promise<ProcessRef> {
    const answer = await this.#ask((requestId) => ({
      t: 'startChild',
      requestId,
      ...subject,
      type,
      spec: { ...spec, args: [...spec.args], env: { ...spec.env } },
    }))
    if (!answer.ok || !answer.process) throw new GuardRefused(answer.reason ?? 'no')
    this.#processes.set(subject.resourceId, answer.process)
    return answer.process
  }

  /** @throws {GuardRefused} */
  async permitGate(subject: Subject, gateName: string, restores?: true): Promise<void> {
    const answer = await this.#ask((requestId) => ({
      t: 'permitGate',
      requestId,
      ...subject,
      gateName,
      ...(restores && { restores }),
    }))
    if (!answer.ok) throw new GuardRefused(answer.reason ?? 'no')
    if (answer.process) this.#processes.set(subject.resourceId, answer.process)
  }

  /** @throws {GuardRefused} */
  async permitCopy(subject: Subject, mid: string, gateName: string): Promise<void> {
    const answer = await this.#ask((requestId) => ({
      ...{ t: 'permitCopy', requestId, ...subject, mid, gateName },
    }))
    if (!answer.ok) throw new GuardRefused(answer.reason ?? 'no')
  }

  /** @throws {GuardRefused} something of it is still on record */
  async carried(subject: Subject, mid: string): Promise<void> {
    const answer = await this.#ask((requestId) => ({ t: 'carried', requestId, ...subject, mid }))
    if (!answer.ok) throw new GuardRefused(answer.reason ?? 'no')
  }

  async signal(resourceId: string, signal: string): Promise<boolean> {
    const answer = await this.#ask((requestId) => ({ t: 'signal', requestId, resourceId, signal }))
    return answer.ok
  }

  async stop(resourceId: string): Promise<void> {
    await this.#ask((requestId) => ({ t: 'stop', requestId, resourceId }))
    this.#processes.delete(resourceId)
  }

  onExit(resourceId: string, listener: (exit: WorkloadExit) => void): () => void {
    const set = this.#listeners.get(resourceId) ?? new Set()
    this.#listeners.set(resourceId, set.add(listener))
    return () => set.delete(listener)
  }

  answered(answer: Answer): void {
    const resolve = this.#waiting.get(answer.requestId)
    this.#waiting.delete(answer.requestId)
    resolve?.(answer)
  }

  started(resourceId: string, process: ProcessRef): void {
    this.#processes.set(resourceId, process)
  }

  exited(resourceId: string, process: ProcessRef, exit: WorkloadExit): void {
    const known = this.#processes.get(resourceId)
    if (known && known.pid !== process.pid) return
    if (!exit.left) this.#processes.delete(resourceId)
    for (const listener of this.#listeners.get(resourceId) ?? []) listener({ ...exit, process })
  }

  forget(resourceId: string): void {
    this.#listeners.delete(resourceId)
  }

  #ask(make: (requestId: number) => RhsToGuard): Promise<Answer> {
    const requestId = this.#nextId
    this.#nextId += 1
    return new Promise((resolve) => {
      this.#waiting.set(requestId, resolve)
      this.#send(make(requestId))
    })
  }
}
