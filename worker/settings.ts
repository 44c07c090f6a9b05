/**
 * Settings by name: the one place that knows of management extensions. Without any in the registry
 * these two calls are refused, and nothing else changes.
 */
import type * as z from 'zod'
import type { Difference, LiveChange, ManagementExtension } from '../extensions/extension.ts'
import { SettingsError } from '../extensions/extension.ts'
import { MANAGEMENT_EXTENSIONS } from '../extensions/index.ts'
import type { ResourceView } from '../schema/api/bodies.ts'
import type {
  changeSettings as changeSettingsBody,
  SettingsChanged,
  SettingsView,
} from '../schema/api/management.ts'
import { HoldfastError, type Refusal } from '../schema/errors.ts'
import type { Request } from '../schema/event.ts'
import { fingerprint } from '../schema/fingerprint.ts'
import type { Controlled } from './controls.ts'

/** Whoever else writes between a look and the change makes it worth another one. */
const TRIES = 5

export const isManaged = (type: string): boolean => extensionOf(type) !== undefined

const extensionOf = (type: string): ManagementExtension | undefined =>
  MANAGEMENT_EXTENSIONS.find((one) => one.type === type)

/** @throws {HoldfastError} NO_MANAGEMENT_EXTENSION, BAD_SETTING */
export async function readSettings(
  resource: ResourceView,
  control: (code: string) => Promise<Controlled>,
): Promise<SettingsView> {
  const extension = needed(resource)
  const settings = orRefused(resource, () => extension.settingsOf(resource.properties))
  const seen = runs(resource)
    ? await lookAtRunning(extension, settings, await control(extension.runningCode))
    : { running: null, unseen: null }
  const { name, type, properties } = resource
  return { resource: name, type, version: fingerprint(properties), settings, ...seen }
}

/** What cannot be seen is said, and is no failure: what is configured can be read all the same. */
async function lookAtRunning(
  extension: ManagementExtension,
  configured: Difference['configured'],
  said: Controlled,
): Promise<Pick<SettingsView, 'running' | 'unseen'>> {
  if ('refused' in said) {
    const { message, why } = said.refused
    return { running: null, unseen: why ? `${message}: ${why}` : message }
  }
  try {
    const settings = extension.runningOf(said.answer)
    if (settings === null) return { running: null, unseen: null }
    const differences = extension.differences(configured, settings)
    return { running: { node: said.node, settings, differences }, unseen: null }
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    return { running: null, unseen: `what ${said.node} says cannot be read: ${error.message}` }
  }
}

interface Cluster {
  /** As it is now. */
  resource(): Promise<ResourceView>
  /** @param fields of the answer, should it end with this */
  ask(request: Request, fields: object): Promise<{ refused: Refusal } | { seq: number }>
  /** On the node that runs it. Behind the commit: what it refuses is told, and undoes nothing. */
  control(resourceId: string, code: string, input: LiveChange['input']): Promise<Controlled>
}

/**
 * By the normal way a resource is changed, with all its checks, and only if it is still what the change
 * was made from.
 *
 * @throws {HoldfastError} NO_MANAGEMENT_EXTENSION, BAD_SETTING, CHANGED_MEANWHILE, or what the way refuses
 */
export async function changeSettings(
  { change, version, dryRun }: z.output<typeof changeSettingsBody>,
  cluster: Cluster,
): Promise<SettingsChanged> {
  for (let tried = 1; ; tried++) {
    const resource = await cluster.resource()
    const extension = needed(resource)
    const from = fingerprint(resource.properties)
    if (version !== undefined && version !== from) throw stale(resource, version)
    const wanted = checked(extension, change)
    const { settings, properties } = orRefused(resource, () => {
      const made = extension.withSettings(resource.properties, wanted, resource.id)
      return {
        settings: extension.settingsOf(made),
        properties: made as ResourceView['properties'],
      }
    })
    const after = fingerprint(properties)
    const answer = {
      ...{ id: resource.id, changed: after !== from, dryRun, version: after, settings, live: {} },
    }
    const takesEffect = answer.changed && runs(resource) ? 'nextStart' : 'now'
    if (dryRun || !answer.changed) return { ...answer, seq: null, takesEffect }
    const done = await cluster.ask(
      { type: 'changeResource', resourceId: resource.id, settings: { properties }, from },
      // Until it was tried on what runs, that has the settings from its next start on.
      { ...answer, takesEffect: runs(resource) ? 'nextStart' : 'now' },
    )
    if (!('refused' in done)) {
      const before = extension.settingsOf(resource.properties)
      const live =
        takesEffect === 'now'
          ? {}
          : await tryLive(extension, before, settings, (code, input) =>
              cluster.control(resource.id, code, input),
            )
      const left = extension.differences(settings, before).filter((d) => live[d.field] !== null)
      const effect = left.length === 0 ? 'now' : takesEffect
      return { ...answer, seq: done.seq, takesEffect: effect, live }
    }
    if (done.refused.code !== 'CHANGED_MEANWHILE' || version !== undefined || tried === TRIES)
      throw new HoldfastError(done.refused)
  }
}

/** Best effort: the change stands, and the next start has it, whatever comes of this. */
async function tryLive(
  extension: ManagementExtension,
  before: Difference['configured'],
  after: Difference['configured'],
  control: (code: string, input: LiveChange['input']) => Promise<Controlled>,
): Promise<SettingsChanged['live']> {
  const live = extension.liveOf(before, after)
  if (!live) return {}
  const all = (why: string) => Object.fromEntries(Object.keys(live.input).map((one) => [one, why]))
  const said = await control(live.code, live.input)
  if ('refused' in said) return all(said.refused.why ?? said.refused.message)
  try {
    return { ...extension.triedOf(said.answer) }
  } catch {
    return all(`what ${said.node} says of it cannot be read`)
  }
}

/** Whether there is something that was started with the settings of then. */
const runs = ({ node, status }: ResourceView): boolean =>
  node !== null && status !== 'offline' && status !== 'failed'

function needed({ name, type }: ResourceView): ManagementExtension {
  const found = extensionOf(type)
  if (found) return found
  throw new HoldfastError({
    code: 'NO_MANAGEMENT_EXTENSION',
    message: `the settings of "${name}" cannot be read or changed by name`,
    why: `Type ${type} has no management extension here. The resource itself is not affected.`,
    remedy: `Read and change its properties as they are: holdfast resource show ${name}`,
  })
}

function checked({ change, type }: ManagementExtension, asked: unknown): unknown {
  const parsed = change.safeParse(asked)
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.slice(0, 20).map((issue) => ({
    pointer: ['', 'change', ...issue.path.map(String)].join('/'),
    message: issue.message,
  }))
  throw new HoldfastError({
    code: 'BAD_SETTING',
    message: `the change does not fit the settings of type ${type}`,
    why: errors.map((one) => `${one.pointer.slice('/change/'.length)}: ${one.message}`).join('; '),
    remedy: 'Correct the places that are named.',
    errors,
  })
}

function orRefused<T>({ name }: ResourceView, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    const { pointer, message } = error
    const whole = pointer === '/xml'
    throw new HoldfastError(
      {
        code: 'BAD_SETTING',
        message: whole
          ? `the settings of "${name}" cannot be read: ${message}`
          : `the settings of "${name}" cannot be so: ${message}`,
        why: whole ? 'Its definition in the hive is at fault.' : 'Nothing was changed.',
        remedy: whole
          ? `Replace it: holdfast resource change ${name} --prop-file xml=FILE`
          : `See what there is: holdfast vm settings ${name}`,
        errors: [{ pointer: whole ? pointer : `/change${pointer}`, message }],
      },
      { cause: error },
    )
  }
}

const stale = ({ name }: ResourceView, version: string) =>
  new HoldfastError({
    code: 'CHANGED_MEANWHILE',
    message: `"${name}" is no longer as in version ${version}`,
    why: 'The change was made from what it was before. Nothing was changed.',
    remedy: `Look again, then repeat the change: holdfast vm settings ${name}`,
  })
