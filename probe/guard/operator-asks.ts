import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ERRORS, type Refusal } from '../../schema/errors.ts'
import type { GuardToAgent } from '../../schema/ipc.ts'
import type { TypeAsk } from '../../schema/type-asks.ts'

/** An agent that does not answer in this time is restarting, or hangs: the operator is told so. */
const ANSWER_MS = 5_000
/** The control plane, and another host, may have to be asked. */
const FAR_ANSWER_MS = 9_000

/** What an operator on this host asks of the agent, by way of the guard's door. */
export class OperatorAsks {
  readonly #toAgent: (frame: GuardToAgent) => void
  readonly #waiting = new Map<number, (answer: object) => void>()
  #next = 1

  constructor(toAgent: (frame: GuardToAgent) => void) {
    this.#toAgent = toAgent
  }

  stop(resource: string, kill: boolean): Promise<object> {
    return this.#ask(ANSWER_MS, (requestId) => ({ t: 'stopHere', requestId, resource, kill }))
  }

  type(ask: TypeAsk): Promise<object> {
    return this.#ask(FAR_ANSWER_MS, (requestId) => ({ t: 'askType', requestId, ask }))
  }

  #ask(withinMs: number, frame: (requestId: number) => GuardToAgent): Promise<object> {
    const requestId = this.#next
    this.#next += 1
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answered(requestId, { refused: NO_ANSWER }), withinMs)
      this.#waiting.set(requestId, (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      this.#toAgent(frame(requestId))
    })
  }

  answered(requestId: number, answer: object): void {
    this.#waiting.get(requestId)?.(answer)
    this.#waiting.delete(requestId)
  }
}

const NO_ANSWER: Refusal = {
  code: 'UNAVAILABLE',
  message: 'the agent of this host does not answer',
  why: 'It is being restarted by the guard, or it hangs.',
  remedy: 'Look at holdfast-probe status, then ask again.',
}

/** The answer at the door has left by then. */
const DOOR_ANSWER_MS = 20

/** Its exit code keeps a service manager from starting the guard again before it is forgotten. */
export function endSoon(end: (exit: number) => void): object {
  setTimeout(() => end(ERRORS.NOT_JOINED.exit), DOOR_ANSWER_MS)
  return { ok: true }
}

/** This host has left: whoever starts the guard again finds a host that has not joined. */
export function forgetIdentity(stateFolder: string, end: () => void): void {
  rmSync(join(stateFolder, 'identity.json'), { force: true })
  end()
}
