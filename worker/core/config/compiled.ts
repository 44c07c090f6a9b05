/** What a configuration document comes to: changes to be shown, and requests that make them. */
import type { ConfigChange, ConfigDocument, PlanView } from '../../../schema/api/config.ts'
import { canonicalJson } from '../../../schema/canonical.ts'
import type { SingleRequest } from '../../../schema/event.ts'
import type { Form, Json } from './forms.ts'

export interface Wanted {
  readonly config: ConfigDocument
  /** What the document does not name is deleted. */
  readonly prune: boolean
  /** JSON pointer → `cluster.yaml:31`. */
  source(pointer: string): string | undefined
  newId(): string
}

/** One request, and the place in the document because of which it is made. */
export interface Step {
  readonly pointer: string
  readonly request: SingleRequest
}

export class Compiled {
  readonly changes: ConfigChange[] = []
  readonly kept: PlanView['kept'] = []
  /** Deletions that have to wait until what is deleted has stopped. */
  readonly later: PlanView['later'] = []
  readonly problems: { pointer: string; message: string }[] = []
  /** Resources that depend on each other in a circle; the last is the first. */
  cycle: { name: string; pointer: string }[] | null = null
  /** Carried out in this order, whatever was found first. */
  readonly settings: Step[] = []
  readonly ruleEnds: Step[] = []
  readonly groups: Step[] = []
  readonly resources: Step[] = []
  /** After whatever has to do with it no more. */
  readonly ends: Step[] = []
  readonly rules: Step[] = []
  /** Last: also of what is made by what comes before. */
  readonly maintenance: Step[] = []

  get steps(): readonly Step[] {
    const { settings, ruleEnds, groups, resources, ends, rules, maintenance } = this
    return [...settings, ...ruleEnds, ...groups, ...resources, ...ends, ...rules, ...maintenance]
  }
}

export function differing(now: Form, wanted: Form): ConfigChange['fields'] {
  const names = [...new Set([...Object.keys(now), ...Object.keys(wanted)])]
  return names.flatMap((field) => {
    const [from, to] = [now[field] ?? null, wanted[field] ?? null] as [Json, Json]
    return canonicalJson(from) === canonicalJson(to) ? [] : [{ field, from, to }]
  })
}
