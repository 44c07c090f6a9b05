/** Resource types of the cluster's own (S-55, S-56): which files count as a type, by their hashes. */
import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import type { RegisteredType, Resource } from '../../schema/hive.ts'
import { LIMITS } from '../../schema/limits.ts'
import { type ModuleManifest, propertiesSchema } from '../../schema/module-manifest.ts'
import { RESOURCE_TYPES } from '../../schema/resource-types/index.ts'
import type { Draft } from './draft.ts'
import { limitReached } from './refusals.ts'

type Of<T extends Request['type']> = Extract<Request, { type: T }>

const NAMED_MAX = 5

/** Registered once more it changes nothing. The file that was registered last says what a type takes. */
export function registerType(draft: Draft, r: Of<'registerType'>, by: string): Refusal | null {
  const { manifest, sha256 } = r
  const { type, version } = manifest
  if (RESOURCE_TYPES.has(type))
    return conflict(type, 'A type of that name comes with the probe.', 'Give yours another name.')
  const known = draft.type(type)
  const before = known?.versions ?? []
  if (before.at(-1)?.sha256 === sha256) return null
  const other = before.find((v) => v.version === version && v.sha256 !== sha256)
  if (other)
    return conflict(
      type,
      `Version ${version} of it is another file (SHA-256 ${other.sha256.slice(0, 12)}…).`,
      'Give the changed file a new version, or register the file that is known.',
    )
  if (!known && draft.types().length >= LIMITS.typesMax)
    return limitReached('resource types', LIMITS.typesMax)
  const misfits = misfitting(draft, manifest)
  if (misfits.length > 0)
    return conflict(
      type,
      `The properties of ${named(misfits)} would not fit it any more.`,
      'Change those resources first, or let the new version take what they have.',
    )
  const versions = [...before.filter((v) => v.sha256 !== sha256), { version, sha256 }]
  const value: RegisteredType = { manifest, versions: versions.slice(-LIMITS.typeVersionsMax) }
  draft.put(
    { table: 'type', id: type, value },
    { manager: 'RCM', code: 'typeRegistered', evidence: { by } },
  )
  return null
}

/** From then on nobody hosts it. */
export function unregisterType(draft: Draft, r: Of<'unregisterType'>, by: string): Refusal | null {
  const { resourceType } = r
  if (!draft.type(resourceType))
    return {
      code: 'NOT_FOUND',
      message: `there is no type "${resourceType}" to unregister`,
      why: 'Types that come with the probe stay as long as the probe does.',
      remedy: 'List them: holdfast resource types',
    }
  const inUse = draft.resources().filter((x) => x.type === resourceType)
  if (inUse.length > 0)
    return {
      code: 'RESOURCE_IN_USE',
      message: `type "${resourceType}" cannot be unregistered: ${named(inUse)} ${inUse.length === 1 ? 'is' : 'are'} of it`,
      why: 'Nobody could keep them any more.',
      remedy: 'Delete them first: holdfast resource delete NAME',
    }
  draft.put(
    { table: 'type', id: resourceType, value: null },
    { manager: 'RCM', code: 'typeUnregistered', evidence: { by } },
  )
  return null
}

function misfitting(draft: Draft, { type, properties }: ModuleManifest): Resource[] {
  const schema = propertiesSchema(properties)
  return draft.resources().filter((r) => r.type === type && !schema.safeParse(r.properties).success)
}

function named(resources: readonly Resource[]): string {
  const names = resources.slice(0, NAMED_MAX).map((r) => `"${r.name}"`)
  const more = resources.length - names.length
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '')
}

const conflict = (type: string, why: string, remedy: string): Refusal => ({
  code: 'TYPE_CONFLICT',
  message: `type "${type}" cannot be registered from this file`,
  why,
  remedy,
})
