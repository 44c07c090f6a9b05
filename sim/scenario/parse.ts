/** Reads a scenario from YAML or JSON; what is wrong is said with its line and column. */
import { isMap, LineCounter, parseDocument, visit } from 'yaml'
import type * as z from 'zod'
import { type Needs, parseNeeds } from '../../schema/dependency.ts'
import { codeFrame } from './code-frame.ts'
import { type Scenario, scenario } from './schema.ts'

/** @property message one problem a paragraph: where, what, the line itself */
export class BadScenario extends Error {}

const BYTES_MAX = 1024 * 1024

type Path = readonly PropertyKey[]

/** @throws {BadScenario} */
export function parseScenario(text: string, file: string): Scenario {
  if (text.length > BYTES_MAX) throw new BadScenario(`${file}: larger than ${BYTES_MAX} bytes`)
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const at = (offset: number, message: string) => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}: ${message}\n${codeFrame(text, line, col)}`
  }
  const [broken] = document.errors
  if (broken) throw new BadScenario(at(broken.pos[0], broken.message.split('\n')[0] ?? ''))
  const fail = (path: Path, message: string) =>
    at(offsetOf(document, path), `${path.map(String).join('.') || 'scenario'}: ${message}`)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw new BadScenario(`${file}: ${(error as Error).message}`)
  }
  const parsed = scenario.safeParse(value)
  if (!parsed.success) throw new BadScenario(parsed.error.issues.slice(0, 10).map(said).join('\n'))
  const wrong = problemsOf(parsed.data)
  if (wrong.length > 0)
    throw new BadScenario(
      wrong
        .slice(0, 10)
        .map(([path, message]) => fail(path, message))
        .join('\n'),
    )
  return parsed.data

  function said(issue: z.core.$ZodIssue): string {
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined
    const path = unknown === undefined ? issue.path : [...issue.path, unknown]
    return fail(path, unknown === undefined ? issue.message : 'there is no such key here')
  }
}

/** The nearest place that there is: of a key that is missing, the record that lacks it. */
function offsetOf(document: ReturnType<typeof parseDocument>, path: Path): number {
  for (let n = path.length; n > 0; n -= 1) {
    const above = document.getIn(path.slice(0, n - 1), true)
    const key = path[n - 1]
    if (isMap(above)) {
      const pair = above.items.find((item) => String(item.key) === String(key))
      const found = (pair?.key as { range?: [number, number, number] } | undefined)?.range
      if (found) return found[0]
    }
    const node = document.getIn(path.slice(0, n), true) as { range?: [number, number, number] }
    if (node?.range) return node.range[0]
  }
  let first = 0
  visit(document, {
    Map(_, map) {
      first = map.range?.[0] ?? 0
      return visit.BREAK
    },
  })
  return first
}

type Problem = readonly [Path, string]

/** Names that nothing has, names that two have, and owners that are no nodes. */
function problemsOf(s: Scenario): Problem[] {
  const nodes = new Set(s.nodes.map((n) => n.name))
  const groups = new Map(s.groups.map((g) => [g.name, g]))
  const problems: Problem[] = [...twice(s.nodes, 'nodes'), ...twice(s.groups, 'groups')]
  const known = (path: Path, name: string | null | undefined, what: 'node' | 'group') => {
    if (name == null || (what === 'node' ? nodes.has(name) : groups.has(name))) return
    const all = what === 'node' ? [...nodes] : [...groups.keys()]
    problems.push([path, `there is no ${what} "${name}" (${all.join(', ') || 'none'})`])
  }
  for (const [i, g] of s.groups.entries()) {
    known(['groups', i, 'owner'], g.owner, 'node')
    for (const list of ['possibleOwners', 'preferredOwners'] as const)
      for (const [j, name] of (g[list] ?? []).entries()) known(['groups', i, list, j], name, 'node')
    for (const list of ['after', 'onlyWhile'] as const)
      for (const [j, name] of g[list].entries()) known(['groups', i, list, j], name, 'group')
    problems.push(...resourceProblems(g, i))
  }
  for (const [i, r] of s.rules.entries())
    for (const list of ['keepApart', 'keepTogether'] as const)
      for (const [j, name] of (r[list] ?? []).entries()) known(['rules', i, list, j], name, 'group')
  for (const [i, e] of s.events.entries()) {
    const { node, group, to, resource } = e as unknown as Record<string, string | null | undefined>
    known(['events', i, 'node'], node, 'node')
    known(['events', i, 'to'], to, 'node')
    known(['events', i, 'group'], group, 'group')
    const members = group == null ? undefined : groups.get(group)?.resources
    if (resource != null && members && !members.some((r) => r.name === resource))
      problems.push([['events', i, 'resource'], `group "${group}" has no resource "${resource}"`])
  }
  problems.push(...expectationProblems(s, known))
  return problems
}

function expectationProblems(
  { expect = {}, events }: Scenario,
  known: (path: Path, name: string | null | undefined, what: 'node' | 'group') => void,
): Problem[] {
  for (const what of ['placement', 'states', 'path', 'withinSeconds'] as const)
    for (const name of Object.keys(expect[what] ?? {})) known(['expect', what, name], name, 'group')
  for (const [name, node] of Object.entries(expect.placement ?? {}))
    known(['expect', 'placement', name], node, 'node')
  for (const [name, path] of Object.entries(expect.path ?? {}))
    for (const [j, node] of path.entries()) known(['expect', 'path', name, j], node, 'node')
  for (const [i, one] of (expect.never ?? []).entries()) {
    known(['expect', 'never', i, 'moved'], one.moved, 'group')
    known(['expect', 'never', i, 'group'], one.group, 'group')
    known(['expect', 'never', i, 'started'], one.started, 'group')
    known(['expect', 'never', i, 'without'], one.without, 'group')
    known(['expect', 'never', i, 'node'], one.node, 'node')
    for (const [j, name] of (one.together ?? []).entries())
      known(['expect', 'never', i, 'together', j], name, 'group')
  }
  return (expect.refused ?? []).flatMap((index, i): Problem[] =>
    index < events.length ? [] : [[['expect', 'refused', i], `there is no event ${index}`]],
  )
}

function resourceProblems(group: Scenario['groups'][number], i: number): Problem[] {
  const all = group.resources ?? []
  const names = new Set(all.map((r) => r.name))
  return [
    ...twice(all, 'groups', i, 'resources'),
    ...all.flatMap((r, j): Problem[] => {
      const path = ['groups', i, 'resources', j, 'dependsOn']
      const parsed = typeof r.dependsOn === 'string' ? parseNeeds(r.dependsOn) : null
      if (parsed && 'problem' in parsed) return [[path, parsed.problem]]
      return needsOf(r)
        .flat()
        .flatMap((name, k): Problem[] =>
          names.has(name)
            ? []
            : [[parsed ? path : [...path, k], `there is no resource "${name}" in it`]],
        )
    }),
  ]
}

/** By name; what cannot be read needs nothing. */
export function needsOf({ dependsOn }: { dependsOn: string | string[] }): Needs {
  if (typeof dependsOn !== 'string') return dependsOn.map((name) => [name])
  const parsed = parseNeeds(dependsOn)
  return 'needs' in parsed ? parsed.needs : []
}

function twice(all: readonly { name: string }[], ...path: PropertyKey[]): Problem[] {
  return all.flatMap(({ name }, i): Problem[] =>
    all.findIndex((other) => other.name === name) < i
      ? [[[...path, i, 'name'], `the name "${name}" is there twice`]]
      : [],
  )
}
