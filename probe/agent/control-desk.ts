/** Control codes for resources that this host runs: from the control plane to the module, and back. */
import type { ControlOutcome } from '../../schema/control.ts'
import type { AgentToGuard, FromRhs } from '../../schema/ipc.ts'
import type { HeldGroup, NodeFrame, ObjectFrame } from '../../schema/session.ts'

interface Parts {
  /** The monitor that was told to hold it. */
  monitorOf(resourceId: string): string | null
  readonly grants: () => readonly HeldGroup[]
  toGuard(frame: AgentToGuard): void
  answer(frame: NodeFrame): void
}

/** RHS gives a module up before that, and the control plane the host a little after it. */
const ANSWER_MS = 11_000

export class ControlDesk {
  readonly #parts: Parts
  readonly #asked = new Map<number, { request: string; timer: NodeJS.Timeout }>()
  #next = 1

  constructor(parts: Parts) {
    this.#parts = parts
  }

  take({
    request,
    resourceId,
    groupId,
    epoch,
    code,
    input,
  }: Extract<ObjectFrame, { t: 'control' }>) {
    const { monitorOf, grants, toGuard } = this.#parts
    const monitor = monitorOf(resourceId)
    const ours = grants().some((g) => g.groupId === groupId && g.epoch === epoch)
    if (!ours || monitor === null)
      return this.#say(request, { error: 'this host does not run it any more' })
    const number = this.#next
    this.#next += 1
    const late = () => this.#settle(number, { error: 'its resource monitor does not answer' })
    this.#asked.set(number, { request, timer: setTimeout(late, ANSWER_MS) })
    const frame = { t: 'control', request: number, guid: resourceId, epoch, code, input } as const
    toGuard({ t: 'toRhs', monitor, frame })
  }

  heard({ request, outcome }: Extract<FromRhs, { t: 'controlled' }>): void {
    this.#settle(request, outcome)
  }

  #settle(number: number, outcome: ControlOutcome): void {
    const asked = this.#asked.get(number)
    if (!asked) return
    clearTimeout(asked.timer)
    this.#asked.delete(number)
    this.#say(asked.request, outcome)
  }

  #say(request: string, outcome: ControlOutcome): void {
    this.#parts.answer({ t: 'controlled', request, outcome })
  }
}
