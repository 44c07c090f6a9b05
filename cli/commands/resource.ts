import { readFileSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type * as z from 'zod'
import { isExpression, type ResourceView } from '../../schema/api/bodies.ts'
import { typeFields } from '../../schema/api/fields.ts'
import type { Body, Response } from '../../schema/api/routes.ts'
import { collect, duration, list, noun, type Runner, wholeNumber } from '../command.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import { formatDuration } from '../duration.ts'
import { defaultText } from '../field-text.ts'
import type { Session } from '../session.ts'
import { fromRoot, type Surroundings } from '../surroundings.ts'
import { facts, table } from '../text.ts'
import { control } from './control.ts'
import { showEvidence } from './evidence.ts'
import { wantResource, withWait } from './move.ts'

type Json = z.infer<ReturnType<typeof z.json>>
type Properties = Record<string, Json>

interface Settings {
  name?: string
  group?: string
  type?: string
  offline?: true
  command?: string
  arg?: string[]
  env?: string[]
  cwd?: string
  user?: string
  prop?: Properties
  propFile?: Properties
  dependsOn?: string[] | string
  possibleOwners?: string[] | 'all'
  separateMonitor?: boolean
  restartAttempts?: number
  restartPeriod?: number
  restartDelay?: number
  retryAfter?: number
  isAlive?: number
  looksAlive?: number
  pendingTimeout?: number
  deadlockTimeout?: number
}

export function addResource(program: Command, runner: Runner): void {
  const resource = noun('resource', 'processes, virtual machines and other things that are kept up')
  resource.command('list').description('all resources').action(runner.action(listResources))
  resource.command('types').description('what there can be').action(runner.action(types))
  const on = (name: string, about: string) =>
    resource.command(name).description(about).argument('<resource>')
  on('show', 'one resource').action(runner.action(show))
  on('evidence', 'how its module took a resource monitor along, and the last calls').action(
    runner.action(showEvidence),
  )
  on('control', 'has its module do or answer something: see holdfast resource types')
    .argument('<code>')
    .option('--input <key=json>', 'what the code is told; again for each', property)
    .action(runner.action(control))
  withSettings(
    runner,
    resource.command('create').description('adds one to a group').argument('<name>'),
  )
    .requiredOption('--group <group>', 'the group it belongs to')
    .requiredOption('--type <type>', 'see: holdfast resource types')
    .option('--offline', 'is wanted offline at first')
    .action(runner.action(create))
  withSettings(runner, on('change', 'changes name, properties, dependencies or policies'))
    .option('--name <new>', 'new name')
    .option('--no-separate-monitor', 'back to the shared resource monitor')
    .action(runner.action(change))
  on('delete', 'removes one that is wanted offline')
    .addOption(yesOption())
    .action(runner.action(remove))
  for (const verb of ['online', 'offline'] as const)
    withWait(on(verb, `wants it ${verb}`)).action(
      runner.action((session, options: { wait: number | boolean }, name: string) =>
        wantResource(session, options, name, verb),
      ),
    )
  program.addCommand(resource)
}

function withSettings({ surroundings }: Runner, command: Command): Command {
  return command
    .option('--command <path>', 'type process: the program, an absolute path')
    .option('--arg <text>', 'type process: one argument; again for each (--arg=-x)', collect)
    .option('--env <NAME=value>', 'type process: one variable; again for each', collect)
    .option('--cwd <path>', 'type process: working directory')
    .option('--user <name>', 'type process: runs as this user')
    .option('--prop <key=json>', 'any property; what is no JSON is a text', property)
    .option(
      '--prop-file <key=path>',
      'any property, the text of a file',
      fileProperty(surroundings),
    )
    .option(
      '--depends-on <resources>',
      'of the same group, online first: a,b for both, or "(a or b) and c"; "" for none',
      needs,
    )
    .option('--possible-owners <nodes>', 'only these: n1,n2; "all" for every node', owners)
    .option('--separate-monitor', 'runs its module in a process of its own')
    .addOption(new Option('--restart-attempts <number>').argParser(wholeNumber))
    .addOption(duration('--restart-period', 'the attempts are counted in this time'))
    .addOption(duration('--restart-delay', 'before each restart'))
    .addOption(duration('--retry-after', 'a failed one is tried again after this'))
    .addOption(duration('--is-alive', 'how often the quick check runs'))
    .addOption(duration('--looks-alive', 'how often the thorough check runs'))
    .addOption(duration('--pending-timeout', 'a start or stop without progress has failed'))
    .addOption(duration('--deadlock-timeout', 'a module without any answer hangs'))
}

function split(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('Write key=value.')
  return [text.slice(0, at), text.slice(at + 1)]
}

function property(text: string, before: Properties = {}): Properties {
  const [key, value] = split(text)
  return { ...before, [key]: jsonOrText(value) }
}

function jsonOrText(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

const fileProperty =
  (around: Surroundings) =>
  (text: string, before: Properties = {}): Properties => {
    const [key, path] = split(text)
    try {
      return { ...before, [key]: readFileSync(fromRoot(around, path), 'utf8') }
    } catch (error) {
      throw new InvalidArgumentError(`${path} cannot be read: ${(error as Error).message}`)
    }
  }

/** A list as it always was; anything else is for the control plane to read. */
const needs = (text: string) => (isExpression(text) ? text : list(text))

const owners = (text: string) => (text === 'all' ? 'all' : list(text))

function propertiesOf(options: Settings): Properties {
  return {
    ...(options.command !== undefined && { command: options.command }),
    ...(options.arg && { args: options.arg }),
    ...(options.env && { env: Object.fromEntries(options.env.map(split)) }),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.user !== undefined && { user: options.user }),
    ...options.prop,
    ...options.propFile,
  }
}

function settingsOf(options: Settings): Body<'changeResource'> {
  const given = <T extends object>(value: T) =>
    Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Partial<T>
  const restart = given({
    attempts: options.restartAttempts,
    periodMs: options.restartPeriod,
    delayMs: options.restartDelay,
    retryAfterMs: options.retryAfter,
  }) as NonNullable<Body<'changeResource'>['restart']>
  const poll = given({
    isAliveMs: options.isAlive,
    looksAliveMs: options.looksAlive,
    pendingMs: options.pendingTimeout,
    deadlockMs: options.deadlockTimeout,
  }) as NonNullable<Body<'changeResource'>['poll']>
  return {
    ...(options.dependsOn !== undefined && { dependsOn: options.dependsOn }),
    ...(options.possibleOwners && {
      possibleOwners: options.possibleOwners === 'all' ? null : options.possibleOwners,
    }),
    ...(options.separateMonitor !== undefined && { separateMonitor: options.separateMonitor }),
    ...(Object.keys(restart).length > 0 && { restart }),
    ...(Object.keys(poll).length > 0 && { poll }),
  }
}

async function create(session: Session, options: Settings, name: string): Promise<undefined> {
  const done = await session.inCluster('createResource', {
    body: {
      ...settingsOf(options),
      name,
      group: options.group ?? '',
      type: options.type ?? '',
      properties: propertiesOf(options),
      persistentState: options.offline ? 0 : 1,
    },
  })
  session.out.answer(done, () => `resource ${name} made (seq ${done.seq})`)
}

async function change(session: Session, options: Settings, name: string): Promise<undefined> {
  const params = { resource: name }
  const properties = propertiesOf(options)
  // Properties are written as a whole: those that were not named stay what they are.
  const merged =
    Object.keys(properties).length > 0
      ? { ...(await session.inCluster('getResource', { params })).properties, ...properties }
      : undefined
  const done = await session.inCluster('changeResource', {
    params,
    body: {
      ...settingsOf(options),
      ...(options.name && { name: options.name }),
      ...(merged && { properties: merged }),
    },
  })
  session.out.answer(done, () => `resource ${options.name ?? name} changed (seq ${done.seq})`)
}

async function remove(session: Session, options: YesOption, resource: string): Promise<undefined> {
  await confirm(session, `delete resource ${resource}`, options)
  const done = await session.inCluster('deleteResource', { params: { resource } })
  session.out.answer(done, () => `resource ${resource} removed (seq ${done.seq})`)
}

async function listResources(session: Session): Promise<undefined> {
  const answer = await session.inCluster('listResources')
  const rows = answer.resources.map((one) => [
    one.name,
    one.group,
    one.type,
    one.status,
    one.persistentState === 1 ? 'online' : 'offline',
    one.node ?? '-',
    one.id,
  ])
  session.out.answer(answer, () =>
    table(['name', 'group', 'type', 'status', 'wanted', 'node', 'id'], rows),
  )
}

async function types(session: Session): Promise<undefined> {
  const answer = await session.inCluster('listTypes')
  session.out.answer(answer, () => answer.types.map(typeText).join('\n\n'))
}

/** A type with the properties it takes. */
export function typeText(one: Response<'listTypes'>['types'][number]): string {
  const nodes = one.nodes.join(', ') || 'no node'
  const unable = one.unable.map(({ node, why }) => `; not by ${node}: ${why}`).join('')
  const versions = one.versions.join(', ') || '-'
  const from = one.shipped ? 'comes with the probe' : 'registered'
  const rows = typeFields(one.properties).map((field) => [
    `  ${field.name}`,
    field.type,
    defaultText(field),
    field.description,
  ])
  const about = `${one.title}; ${from}, version ${versions}, in ${one.host}`
  const codes = one.controls.map(({ code, title }) => [`  control ${code}`, title])
  const managed = one.managed ? [['  settings by name', 'by its management extension']] : []
  const rest = [...codes, ...managed]
  const more = rest.length > 0 ? `\n${facts(rest)}` : ''
  return `${one.type}: ${about}; hosted by ${nodes}${unable}\n${facts(rows)}${more}`
}

async function show(session: Session, _: unknown, name: string): Promise<undefined> {
  const one = await session.inCluster('getResource', { params: { resource: name } })
  session.out.answer(one, () => facts(resourceFacts(one)))
}

function monitorText({ separateMonitor, isolated }: ResourceView): string {
  if (!isolated) return separateMonitor ? 'separate' : 'shared'
  return `separate, isolated by ${isolated.node}: ${isolated.detail}`
}

export function resourceFacts(one: ResourceView): string[][] {
  const { restart, poll } = one
  return [
    ['resource', one.name],
    ['id', one.id],
    ['group', one.group],
    ['type', one.type],
    ['wanted', one.persistentState === 1 ? 'online' : 'offline'],
    ['status', one.status + (one.detail ? ` (${one.detail})` : '')],
    ['node', one.node ?? '-'],
    ['restarts', String(one.restarts)],
    ['depends on', one.needs || '-'],
    ['possible', one.possibleOwners?.join(', ') ?? 'all'],
    ['restart', `${restart.attempts} in ${formatDuration(restart.periodMs)}`],
    ['is alive', formatDuration(poll.isAliveMs)],
    ['looks alive', formatDuration(poll.looksAliveMs)],
    ['monitor', monitorText(one)],
    ...Object.entries(one.properties).map(([key, value]) => [key, JSON.stringify(value)]),
  ]
}
