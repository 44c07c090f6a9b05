/** Rules of a configuration document. One that differs is made anew: rules have no state of their own. */
import type { Hive } from '../../../schema/hive.ts'
import { type Compiled, differing, type Wanted } from './compiled.ts'
import { ruleForm, wantedRuleForm } from './forms.ts'

/** @param groupIds by name: the groups that there will be */
export function compileRules(
  hive: Hive,
  { config, prune, source, newId }: Wanted,
  groupIds: ReadonlyMap<string, string>,
  out: Compiled,
): void {
  const byName = new Map([...hive.rules.values()].map((rule) => [rule.name, rule]))
  for (const [name, wanted] of Object.entries(config.rules)) {
    const pointer = `/rules/${name}`
    const kind = wanted.keepApart ? 'keepApart' : 'keepTogether'
    const groups = [...new Set(wanted.keepApart ?? wanted.keepTogether ?? [])]
    const known = byName.get(name)
    const fields = known ? differing(ruleForm(hive, known), wantedRuleForm(wanted)) : []
    const unknown = groups.find((group) => !groupIds.has(group))
    if (unknown !== undefined) {
      out.problems.push({
        pointer: `${pointer}/${kind}`,
        message: `there is no group "${unknown}"`,
      })
      continue
    }
    if (known && fields.length === 0) continue
    if (known) out.ruleEnds.push({ pointer, request: { type: 'deleteRule', ruleId: known.id } })
    const action = known ? 'change' : 'create'
    out.changes.push({ action, kind: 'rule', name, pointer, fields })
    const from = source(pointer)
    out.rules.push({
      pointer,
      request: {
        ...{ type: 'createRule', ruleId: newId(), name, kind, hard: wanted.hard },
        groups: groups.map((group) => groupIds.get(group) as string),
        ...(from !== undefined && { source: from }),
      },
    })
  }
  for (const rule of hive.rules.values()) {
    if (Object.hasOwn(config.rules, rule.name)) continue
    const { name } = rule
    if (!prune) {
      out.kept.push({ kind: 'rule', name })
      continue
    }
    const pointer = `/rules/${name}`
    out.changes.push({ action: 'delete', kind: 'rule', name, pointer, fields: [] })
    out.ruleEnds.push({ pointer, request: { type: 'deleteRule', ruleId: rule.id } })
  }
}
