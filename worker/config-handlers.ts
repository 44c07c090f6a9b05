/** The configuration of a cluster as one document. */
import { HoldfastError, type Refusal } from '../schema/errors.ts'
import { type Call, noteDry, open } from './calls.ts'
import type { ApplyAsk, PlanAsk } from './configurations.ts'

export const configHandlers = {
  getConfig: async (call: Call) => open(call).stub.exportConfig(),
  planConfig: async (call: Call<PlanAsk>) => orThrow(await open(call).stub.planConfig(call.body)),
  applyConfig: async (call: Call<ApplyAsk>) => {
    const applied = orThrow(await open(call).stub.applyConfig(call.body, call.by, call.write))
    noteDry(call, applied)
    return applied
  },
}

function orThrow<T extends object>(answer: T | { refused: Refusal }): T {
  if ('refused' in answer) throw new HoldfastError(answer.refused)
  return answer
}
