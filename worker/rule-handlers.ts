/** Rules between groups. */
import type * as z from 'zod'
import type { createRule } from '../schema/api/placement.ts'
import { ask, type Call, ids, notFound, open, view } from './calls.ts'

export const ruleHandlers = {
  listRules: async (call: Call) => ({ rules: (await view(open(call).stub)).rules }),
  createRule: async (call: Call<z.output<typeof createRule>>) => {
    const { stub } = open(call)
    const { groups, ...rest } = call.body
    const ruleId = crypto.randomUUID()
    const named = await ids(stub, 'group', groups)
    const request = { type: 'createRule' as const, ruleId, groups: named, ...rest }
    return ask(call, request, { fields: { id: ruleId } })
  },
  deleteRule: async (call: Call) => {
    const { stub } = open(call)
    const reference = call.params['rule'] ?? ''
    const { rules } = await view(stub)
    const found = rules.find((rule) => rule.id === reference || rule.name === reference)
    if (!found) throw notFound('rule', reference)
    return ask(call, { type: 'deleteRule', ruleId: found.id }, { fields: { id: found.id } })
  },
}
