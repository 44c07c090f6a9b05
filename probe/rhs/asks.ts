/** What is asked of modules besides their duties: whether they could host something, and control codes. */
import { CONTROL_TEXT_MAX, type ControlOutcome, controlOf } from '../../schema/control.ts'
import type { FromRhs, HeldResource, ToRhs } from '../../schema/ipc.ts'
import { LIMITS } from '../../schema/limits.ts'
import type { Call, ResourceModule } from '../../schema/resource-type.ts'
import { bootMs } from '../clock.ts'
import type { CallBook } from './call-book.ts'
import { couldHost } from './could-host.ts'
import type { Shelf } from './shelf.ts'
import { messageOf } from './words.ts'

interface Parts {
  readonly shelf: Shelf
  readonly book: CallBook
  /** What this monitor holds under this GUID. */
  heldOf(guid: string): HeldResource | undefined
  callOf(held: HeldResource, module: ResourceModule, signal: AbortSignal): Call
  tell(frame: FromRhs): void
  log(held: HeldResource, message: string): void
  /** The guard is told how long this process may say nothing while these are asked about. */
  sayAlive(resources: readonly HeldResource[]): void
}

type Ask<T extends ToRhs['t']> = Extract<ToRhs, { t: T }>

/** An operator waits for it. */
const CONTROL_MS = 10_000
const PREPARE_MS = 60_000
const RECEIVE_MS = 1_000

export class Asks {
  readonly #parts: Parts
  #prepares: Promise<void> = Promise.resolve()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  take(frame: Ask<'couldHost' | 'control' | 'prepare' | 'receive'>): void {
    if (frame.t === 'couldHost') void this.#couldHost(frame)
    else if (frame.t === 'receive') void this.#receive(frame)
    else if (frame.t === 'control') void this.#control(frame)
    else
      for (const held of frame.resources)
        this.#prepares = this.#prepares.then(() => this.#prepare(held))
  }

  /** One after the other: it is in no hurry, and what runs here goes first. */
  async #prepare(held: HeldResource): Promise<void> {
    const { shelf, book, callOf, log } = this.#parts
    const module = shelf.get(held.type)
    if (!module?.prepareOnline) return
    const ended = book.begin(held.type, 'prepareOnline', held.name, [held.guid], bootMs())
    try {
      const signal = AbortSignal.timeout(PREPARE_MS)
      const late = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      await Promise.race([module.prepareOnline(callOf(held, module, signal)), late])
      ended(bootMs())
    } catch (error) {
      // That it could not be made ready is no failure: its Online will do what it can.
      ended(bootMs(), messageOf(error))
      log(held, `prepareOnline: ${messageOf(error)}`)
    }
  }

  async #couldHost({ request, resources }: Ask<'couldHost'>): Promise<void> {
    const { shelf, callOf, tell } = this.#parts
    const { book, sayAlive } = this.#parts
    // One that blocks this process is to be found, and whose it was is to be known (S-32).
    sayAlive(resources)
    const begin = ({ type, name, guid }: HeldResource) =>
      book.begin(type, 'validate', name, [guid], bootMs())
    const problems = await couldHost(resources, (type) => shelf.get(type), callOf, begin)
    tell({ t: 'couldHost', request, problems })
  }

  /** M1: nothing of it executes here, whatever becomes of this. */
  async #receive({ request, resource, mid }: Ask<'receive'>): Promise<void> {
    const { shelf, book, callOf, tell } = this.#parts
    const module = shelf.get(resource.type)
    const ended = book.begin(resource.type, 'receive', resource.name, [resource.guid], bootMs())
    try {
      if (!module?.receive) throw new Error('its module cannot receive it')
      const call = callOf(resource, module, AbortSignal.timeout(RECEIVE_MS))
      tell({ t: 'received', request, to: await module.receive(call, mid) })
      ended(bootMs())
    } catch (error) {
      ended(bootMs(), messageOf(error))
      const problem = messageOf(error).slice(0, LIMITS.detailLengthMax)
      tell({ t: 'received', request, to: null, problem })
    }
  }

  async #control({ request, guid, epoch, code, input }: Ask<'control'>): Promise<void> {
    const outcome = await this.#outcomeOf(guid, epoch, code, input)
    this.#parts.tell({ t: 'controlled', request, outcome })
  }

  async #outcomeOf(
    guid: string,
    epoch: number,
    code: string,
    input: Record<string, unknown>,
  ): Promise<ControlOutcome> {
    const { shelf, book, heldOf, callOf } = this.#parts
    const held = heldOf(guid)
    if (!held || held.epoch !== epoch) return { error: 'it is not held here any more' }
    const module = shelf.get(held.type)
    const known = controlOf(module?.controls, code)
    // S-33: what the module lacks is discarded.
    if (!module?.control || !known) return { error: `not implemented: control ${code}` }
    const ended = book.begin(held.type, `control ${code}`, held.name, [guid], bootMs())
    try {
      const told = known.input.parse(input)
      const signal = AbortSignal.timeout(CONTROL_MS)
      const work = module.control(callOf(held, module, signal), code, told)
      const late = new Promise<never>((_, reject) =>
        signal.addEventListener('abort', () => reject(new Error(`no end within ${CONTROL_MS} ms`))),
      )
      const said = JSON.stringify((await Promise.race([work, late])) ?? null)
      ended(bootMs())
      if (said.length <= CONTROL_TEXT_MAX) return { answer: said }
      return { error: `its answer has ${said.length} characters; ${CONTROL_TEXT_MAX} are the most` }
    } catch (error) {
      ended(bootMs(), messageOf(error))
      return { error: messageOf(error).slice(0, LIMITS.detailLengthMax) }
    }
  }
}
