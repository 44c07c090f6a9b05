import type { Call, ResourceModule } from '../../schema/resource-type.ts'
import type { EntryPoint } from '../core/rhs-state.ts'

type Entry = (call: Call) => Promise<void>

/** What a function of the cluster comes to at a module, with what has to go before it. */
export class Entries {
  readonly #installed = new Set<string>()

  /** @returns null: the module has no such function (S-33) */
  of(module: ResourceModule, fn: EntryPoint): Entry | null {
    const own: Entry | null = module[fn]?.bind(module) ?? null
    switch (fn) {
      case 'open':
        return this.#open(module, own)
      case 'online':
        return own && this.#online(module, own)
      default:
        return own
    }
  }

  forget(guid: string): void {
    this.#installed.delete(guid)
  }

  #open(module: ResourceModule, own: Entry | null): Entry | null {
    if (!module.validate) return own
    return async (call) => {
      // What runs here runs: that it could not be started again is for the thorough check to say.
      if (call.workload.process === null) await module.validate?.(call)
      await own?.(call)
    }
  }

  /** S-49: once, before the first Online here. What has failed is tried again with the next one. */
  #online(module: ResourceModule, own: Entry): Entry {
    return async (call) => {
      if (module.install && !this.#installed.has(call.guid)) {
        call.log(`install ${call.name}`)
        await module.install(call)
        this.#installed.add(call.guid)
      }
      await own(call)
    }
  }
}
