import type { Answer, Call, ResourceModule } from '../../schema/resource-type.ts'
import { soundAnswer } from './module-answers.ts'

/** What modules say by themselves, of resources that are open here (S-36). */
export class Watches {
  readonly #stops = new Map<string, () => void>()

  /** @throws {Error} the module cannot watch it: polling stays */
  begin(
    guid: string,
    module: ResourceModule,
    makeCall: () => Call,
    push: (answer: Answer) => void,
  ): void {
    if (!module.watch || this.#stops.has(guid)) return
    this.#stops.set(
      guid,
      module.watch(makeCall(), (said) => push(soundAnswer(guid, said))),
    )
  }

  end(guid: string): void {
    this.#stops.get(guid)?.()
    this.#stops.delete(guid)
  }
}
