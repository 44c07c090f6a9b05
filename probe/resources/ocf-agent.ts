/** What an OCF agent says of itself: its meta-data, read by a parser and checked by a schema. */
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import * as z from 'zod'

/** What is used of an agent's meta-data. */
export interface AgentMetaData {
  readonly version: string
  /** By name: whether it has to be given. */
  readonly parameters: ReadonlyMap<string, { readonly required: boolean }>
  /** How long each action may take, as the agent advises; of several the longest. */
  readonly timeoutsMs: ReadonlyMap<string, number>
  /** OCF_CHECK_LEVEL of its monitors, of which 0 is the quick one. */
  readonly depths: readonly number[]
}

const LISTS = ['parameter', 'action']
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  processEntities: true,
  parseAttributeValue: false,
  parseTagValue: false,
  isArray: (name) => LISTS.includes(name),
})

const flag = z.union([z.literal('1'), z.literal('true'), z.literal('yes')])
const document = z.object({
  'resource-agent': z.object({
    version: z.string().max(200).default(''),
    parameters: z
      .union([
        z.object({
          parameter: z
            .array(z.object({ name: z.string().min(1).max(256), required: z.string().optional() }))
            .max(1_000)
            .default([]),
        }),
        z.literal(''),
      ])
      .optional(),
    actions: z.object({
      action: z
        .array(
          z.object({
            name: z.string().min(1).max(64),
            timeout: z.string().max(32).optional(),
            depth: z.string().max(16).optional(),
          }),
        )
        .min(1)
        .max(200),
    }),
  }),
})

/**
 * @param text what the agent has printed for `meta-data`
 * @throws {Error} it is not the meta-data of an OCF agent
 */
export function readMetaData(text: string): AgentMetaData {
  // Some agents complain first, of what is not installed.
  const xml = text.slice(Math.max(0, text.search(/<\?xml|<resource-agent/)))
  const valid = XMLValidator.validate(xml)
  if (valid !== true) throw new Error(`its meta-data is not XML: ${valid.err.msg}`)
  const parsed = document.safeParse(parser.parse(xml))
  if (!parsed.success)
    throw new Error(`its meta-data is not that of an OCF agent: ${firstIssue(parsed.error)}`)
  const { version, parameters, actions } = parsed.data['resource-agent']
  const named = parameters === undefined || parameters === '' ? [] : parameters.parameter
  const timeoutsMs = new Map<string, number>()
  const depths = new Set([0])
  for (const { name, timeout, depth } of actions.action) {
    const ms = durationMs(timeout)
    if (ms !== null) timeoutsMs.set(name, Math.max(ms, timeoutsMs.get(name) ?? 0))
    if (name === 'monitor' && /^\d{1,3}$/.test(depth ?? '')) depths.add(Number(depth))
  }
  return {
    version,
    parameters: new Map(
      named.map((p) => [p.name, { required: flag.safeParse(p.required).success }]),
    ),
    timeoutsMs,
    depths: [...depths].sort((a, b) => a - b),
  }
}

function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues
  return issue ? `${issue.path.join('.')}: ${issue.message}` : 'it does not fit'
}

const UNITS_MS: Record<string, number> = {
  ms: 1,
  msec: 1,
  '': 1_000,
  s: 1_000,
  sec: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  hr: 3_600_000,
}

/** `20s`, `20`, `1min`: without a unit it is seconds. */
function durationMs(text: string | undefined): number | null {
  const [, digits, unit = ''] = /^\s*(\d{1,9})\s*([a-z]*)\s*$/i.exec(text ?? '') ?? []
  const factor = UNITS_MS[unit.toLowerCase()]
  if (digits === undefined || factor === undefined) return null
  return Number(digits) * factor || null
}

/** What is wrong with the parameters of a resource, or null. */
export function parameterProblem(
  { parameters }: AgentMetaData,
  given: Readonly<Record<string, string>>,
): string | null {
  const names = [...parameters.keys()]
  const unknown = Object.keys(given).filter((name) => !parameters.has(name))
  if (unknown.length > 0)
    return `it has no parameter ${unknown.join(', ')}; it has: ${names.join(', ') || 'none'}`
  const missing = names.filter((name) => parameters.get(name)?.required && !(name in given))
  return missing.length > 0 ? `parameter ${missing.join(', ')} is missing` : null
}
