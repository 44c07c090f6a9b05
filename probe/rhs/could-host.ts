import type { HeldResource } from '../../schema/ipc.ts'
import type { Call, ResourceModule } from '../../schema/resource-type.ts'
import { bootMs } from '../clock.ts'

/** Whoever asks does not wait for long; what has not been said by then is not said. */
const ANSWER_MS = 300
const PROBLEM_MAX = 500

/** What is against running these here, by their own modules: nothing is begun, opened or started. */
export async function couldHost(
  resources: readonly HeldResource[],
  moduleOf: (type: string) => ResourceModule | undefined,
  callOf: (held: HeldResource, module: ResourceModule, signal: AbortSignal) => Call,
  begin: (held: HeldResource) => (nowMs: number, error?: string) => void,
): Promise<{ guid: string; problem: string }[]> {
  const signal = AbortSignal.timeout(ANSWER_MS)
  const found = await Promise.all(
    resources.map(async (held) => {
      const module = moduleOf(held.type)
      if (!module) return null
      const ended = begin(held)
      const late = new Promise<null>((resolve) =>
        signal.addEventListener('abort', () => resolve(null)),
      )
      const problem = problemOf(async () => {
        // Properties that do not fit the module of this node are found by making the call.
        const call = callOf(held, module, signal)
        await module.validate?.(call)
      })
      void problem.then((text) => ended(bootMs(), text ?? undefined))
      const said = problem.then((text) =>
        text === null ? null : { guid: held.guid, problem: text },
      )
      return Promise.race([late, said])
    }),
  )
  return found.filter((one) => one !== null)
}

async function problemOf(work: () => Promise<unknown>): Promise<string | null> {
  try {
    await work()
    return null
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).slice(0, PROBLEM_MAX)
  }
}
