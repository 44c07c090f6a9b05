/** A cluster's configuration in a file: read, sent with where things stand in it, and written back. */
import { basename } from 'node:path'
import { isCollection, isMap, isScalar, stringify, type YAMLMap } from 'yaml'
import { type ConfigText, configDocument } from '../schema/api/config.ts'
import { HoldfastError } from '../schema/errors.ts'
import { fileName, readText } from './read-text.ts'
import type { Surroundings } from './surroundings.ts'
import { BadDocument, issuesAt, type Path, YamlDocument } from './yaml-document.ts'

const BYTES_MAX = 4 * 1024 * 1024
export const SCHEMA_LINE =
  '# yaml-language-server: $schema=https://holdfast.dev/schema/config.schema.json\n'

export interface ConfigFile {
  readonly config: ConfigText
  readonly lines: { readonly file: string; readonly at: Record<string, number> }
  readonly document: YamlDocument
}

/** @throws {HoldfastError} BAD_REQUEST, with line, column and the line itself */
export const readConfig = async (around: Surroundings, path: string): Promise<ConfigFile> =>
  parseConfig(
    await readText(around, path, 'Name a file of YAML or JSON; holdfast export writes one.'),
    fileName(path),
  )

export function parseConfig(source: string, file: string): ConfigFile {
  let document: YamlDocument
  try {
    document = new YamlDocument(source, file, { bytesMax: BYTES_MAX, root: 'configuration' })
  } catch (error) {
    if (error instanceof BadDocument) throw bad(error.message)
    throw error
  }
  const value = document.value ?? {}
  const parsed = configDocument.safeParse(value)
  if (!parsed.success) throw bad(issuesAt(document, parsed.error.issues))
  const { groups, rules, nodes } = parsed.data
  const places: Path[] = [
    ...Object.keys(nodes).map((name) => ['nodes', name]),
    ...Object.keys(rules).map((name) => ['rules', name]),
    ...Object.entries(groups).flatMap(([name, { resources }]) => [
      ['groups', name],
      ...Object.keys(resources).map((one) => ['groups', name, 'resources', one]),
    ]),
  ]
  const at = Object.fromEntries(places.map((path) => [pointer(path), document.line(path)]))
  return { config: value as ConfigText, lines: { file: basename(file), at }, document }
}

const pointer = (path: Path) => `/${path.map(String).join('/')}`

/** What the control plane says of a place in the document is said of the line it stands in. */
export function placed(error: unknown, { document }: ConfigFile): unknown {
  if (!(error instanceof HoldfastError) || !error.refusal.errors?.length) return error
  const told = error.refusal.errors.map(({ pointer: place, message }) =>
    document.problem(
      place
        .replace(/^\/config(?=\/)/, '')
        .split('/')
        .slice(1),
      message,
    ),
  )
  const why = [error.refusal.why, ...told].filter((line) => line !== undefined).join('\n')
  return new HoldfastError({ ...error.refusal, why })
}

function bad(problems: string): HoldfastError {
  const [message = problems, ...rest] = problems.split('\n')
  return new HoldfastError({
    code: 'BAD_REQUEST',
    message,
    why: rest.join('\n') || 'It cannot be read as a configuration.',
    remedy: 'Correct the place that is named. Nothing was sent, and nothing was changed.',
  })
}

export const configText = (config: unknown): string =>
  SCHEMA_LINE + stringify(config, { lineWidth: 100 })

/** The file with the cluster's configuration of now in it: comments and order stay where they can. */
export function mergedText(file: ConfigFile, config: unknown): string {
  const { parsed } = file.document
  if (isMap(parsed.contents)) mergeInto(parsed.contents, config as Record<string, unknown>, parsed)
  else parsed.contents = parsed.createNode(config) as never
  return parsed.toString({ lineWidth: 100 })
}

type Tree = YamlDocument['parsed']

function mergeInto(map: YAMLMap, wanted: Record<string, unknown>, tree: Tree): void {
  for (const { key } of [...map.items]) if (!Object.hasOwn(wanted, String(key))) map.delete(key)
  for (const [key, value] of Object.entries(wanted)) {
    const there = map.get(key, true) as unknown
    if (isMap(there) && isRecord(value)) mergeInto(there, value, tree)
    else if (isScalar(there) && !isObject(value)) there.value = value
    else if (!isCollection(there) || !same(there.toJS(tree), value))
      map.set(key, tree.createNode(value))
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
const isRecord = (value: unknown): value is Record<string, unknown> =>
  isObject(value) && !Array.isArray(value)
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
