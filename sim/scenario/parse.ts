/** Reads a scenario from YAML or JSON; what is wrong is said with its line and column. */
import {
  BadDocument,
  issuesAt,
  type Path,
  PROBLEMS_MAX,
  YamlDocument,
} from '../../cli/yaml-document.ts'
import { type Needs, parseNeeds } from '../../schema/dependency.ts'
import { type Scenario, scenario } from './schema.ts'

const BYTES_MAX = 1024 * 1024

/** @throws {BadDocument} */
export function parseScenario(text: string, file: string): Scenario {
  const document = new YamlDocument(text, file, { bytesMax: BYTES_MAX, root: 'scenario' })
  const parsed = scenario.safeParse(document.value)
  if (!parsed.success) throw new BadDocument(issuesAt(document, parsed.error.issues))
  const wrong = problemsOf(parsed.data)
  if (wrong.length > 0)
    throw new BadDocument(
      wrong
        .slice(0, PROBLEMS_MAX)
        .map(([path, message]) => document.problem(path, message))
        .join('\n'),
    )
  return parsed.data
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
