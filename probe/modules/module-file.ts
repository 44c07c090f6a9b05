/**
 * A resource module as one file (S-52): JavaScript, or TypeScript whose types are taken off. What runs
 * is exactly the bytes that were hashed: it is read once and imported from memory (S-56), so it can
 * import what Node.js has and nothing else.
 */
import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { basename } from 'node:path'
import { HoldfastError } from '../../schema/errors.ts'
import {
  controlsOf,
  MODULE_BYTES_MAX,
  type ModuleManifest,
  moduleManifest,
  propertiesSchema,
} from '../../schema/module-manifest.ts'
import { ENTRY_POINTS, type ResourceModule } from '../../schema/resource-type.ts'
import { RESOURCE_TYPES } from '../../schema/resource-types/index.ts'

export interface ModuleFile {
  readonly manifest: ModuleManifest
  readonly module: ResourceModule
  readonly sha256: string
}

/** What has to happen while it is imported: its own statements, which may wait for anything. */
export const IMPORT_MS = 5_000

/** @throws {HoldfastError} BAD_MODULE: it cannot be read, or is too large */
export function readModule(path: string): { bytes: Buffer; sha256: string } {
  try {
    const fd = openSync(path, 'r')
    try {
      const { size } = fstatSync(fd)
      if (size > MODULE_BYTES_MAX)
        throw bad(path, `it has ${size} bytes, and ${MODULE_BYTES_MAX} are the most`)
      const bytes = readFileSync(fd)
      return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (error instanceof HoldfastError) throw error
    throw bad(path, `it cannot be read: ${(error as Error).message}`)
  }
}

/**
 * @param pinned its SHA-256 has to be this one (S-56); absent: any
 * @throws {HoldfastError} BAD_MODULE: what does not fit, in words
 */
export async function loadModuleFile(path: string, pinned?: string): Promise<ModuleFile> {
  const { bytes, sha256 } = readModule(path)
  if (pinned !== undefined && sha256 !== pinned) throw bad(path, corrupt(sha256, pinned))
  const exported = await imported(path, withoutTypes(path, bytes.toString('utf8')))
  return { ...moduleOf(path, exported), sha256 }
}

/** Why a file is not loaded that is not the one that was registered. */
export const corrupt = (sha256: string, pinned: string) =>
  `it is corrupt: its SHA-256 is ${sha256.slice(0, 12)}…, registered is ${pinned.slice(0, 12)}…`

function withoutTypes(path: string, text: string): string {
  if (!path.endsWith('.ts')) return text
  const strip = nodeModule.stripTypeScriptTypes as ((text: string) => string) | undefined
  if (!strip)
    throw bad(path, `this Node.js (${process.version}) cannot take the types off; compile it`)
  try {
    return quietly(() => strip(text))
  } catch (error) {
    throw bad(path, `it is no TypeScript: ${(error as Error).message}`)
  }
}

/** Node.js warns once that this function may change. */
function quietly<T>(work: () => T): T {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return work()
  } finally {
    process.emitWarning = emitWarning
  }
}

/**
 * What a module file imports is neither hashed nor watched, so it may import what Node.js itself has and
 * nothing else. It can still read and run what it likes, as root: whoever pins it vouches for it.
 */
function refuseImports(): void {
  if (hooked) return
  hooked = true
  const { registerHooks } = nodeModule as { registerHooks?: typeof nodeModule.registerHooks }
  registerHooks?.({
    resolve(specifier, context, next) {
      if (context.parentURL?.startsWith('data:') && !nodeModule.isBuiltin(specifier))
        throw new Error(`it imports ${specifier}: a module file may import what Node.js has, alone`)
      return next(specifier, context)
    },
  })
}
let hooked = false

async function imported(path: string, text: string): Promise<unknown> {
  refuseImports()
  const named = `${text}\n//# sourceURL=${encodeURI(path)}\n`
  const url = `data:text/javascript;base64,${Buffer.from(named).toString('base64')}`
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late(`not over after ${IMPORT_MS} ms`)), IMPORT_MS)
  })
  try {
    const loaded = (await Promise.race([import(url), late])) as { default?: unknown }
    return loaded.default
  } catch (error) {
    throw bad(path, `importing it failed: ${messageOf(error)}`, error)
  } finally {
    clearTimeout(timer)
  }
}

function moduleOf(path: string, exported: unknown): Omit<ModuleFile, 'sha256'> {
  if (typeof exported !== 'object' || exported === null)
    throw bad(path, 'its default export is no object with a manifest and entry points')
  const functions: Record<string, unknown> = {}
  const data: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(exported))
    if (typeof value === 'function') functions[name] = value
    else data[name] = value
  const parsed = moduleManifest.safeParse(data)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw bad(path, `manifest: ${issue?.path.map(String).join('.') || 'it'}: ${issue?.message}`)
  }
  const manifest = parsed.data
  const problem = functionsProblem(functions, manifest) ?? manifestProblem(manifest)
  if (problem !== null) throw bad(path, problem)
  const { type, version, host, way, hints, properties } = manifest
  const kind = { type, version, host, properties: propertiesSchema(properties) }
  const controls = manifest.controls && { controls: controlsOf(manifest) }
  // As methods of what was exported: a module may keep things of its own there.
  const entries = Object.entries(functions).map(([name, fn]) => [
    name,
    (...args: unknown[]) => Reflect.apply(fn as () => unknown, exported, args),
  ])
  const module = {
    ...kind,
    ...(way && { way }),
    ...(hints && { hints }),
    ...controls,
    ...Object.fromEntries(entries),
  }
  return { manifest, module: module as ResourceModule }
}

function functionsProblem(
  functions: Record<string, unknown>,
  { controls }: ModuleManifest,
): string | null {
  if ('restart' in functions) return 'it has a function restart: a restart is Online (S-47)'
  for (const required of ['isAlive', 'looksAlive'])
    if (!(required in functions)) return `it has no function ${required} (S-45)`
  if ('control' in functions !== (controls !== undefined))
    return 'controls and the function control go together'
  const unknown = Object.keys(functions).find((name) => !ENTRY_POINTS.includes(name as never))
  if (unknown === undefined) return null
  const meant = ENTRY_POINTS.find((name) => name.toLowerCase() === unknown.toLowerCase())
  const hint = meant ? `; is ${meant} meant?` : `; there are ${ENTRY_POINTS.join(', ')}`
  return `it has a function ${unknown}, which nobody calls${hint}`
}

function manifestProblem({ type, properties, example }: ModuleManifest): string | null {
  if (RESOURCE_TYPES.has(type)) return `type ${type} is one that comes with the probe`
  const fits = propertiesSchema(properties).safeParse(example)
  if (!fits.success) {
    const [issue] = fits.error.issues
    return `its example does not fit its own properties: ${issue?.path.map(String).join('.')}: ${issue?.message}`
  }
  return null
}

function bad(path: string, why: string, cause?: unknown): HoldfastError {
  const refusal = {
    code: 'BAD_MODULE' as const,
    message: `${basename(path)} is no module that can be used: ${why}`,
    why,
    remedy: 'Correct the file, then: holdfast-probe module certify FILE',
  }
  return new HoldfastError(refusal, { cause })
}

/** Its own statements wait for something that has not happened in time. */
class Late extends Error {}

/** Whether a file was given up while it was imported: it may be anywhere. */
export const isLate = (error: unknown): boolean => (error as Error)?.cause instanceof Late

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
