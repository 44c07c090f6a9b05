/** `module register|unregister|list|verify|repair`: which module files run here (S-55 to S-57). */
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import * as z from 'zod'
import { HoldfastError } from '../../schema/errors.ts'
import { type RegisteredType, registeredType } from '../../schema/hive.ts'
import type { ModulePin } from '../../schema/module-pins.ts'
import type { TypeAsk } from '../../schema/type-asks.ts'
import { moduleText } from '../../schema/type-asks.ts'
import { askGuard } from '../host/ask-guard.ts'
import { readModule } from '../modules/module-file.ts'
import { PinnedFiles } from '../modules/pinned-files.ts'
import { takeLock } from '../os/lock.ts'
import { modulesFolder } from '../os/module-pins.ts'
import { table } from '../status/table.ts'
import { certificateText, certified, documentOf } from './certificate.ts'
import { EXIT } from './exit-codes.ts'
import type { Host, Runner } from './host.ts'
import { timeout } from './options.ts'

interface RegisterOptions {
  readonly timeout: number
  /** False with `--no-try`. */
  readonly try: boolean
}

export function addModuleFiles(module: Command, runner: Runner): void {
  module
    .command('register')
    .description('certifies the file, and lets it run here and in the cluster, by its hash')
    .argument('<file>', 'the module')
    .option('--no-try', 'only loads it: nothing is started for a trial')
    .addOption(timeout('how long one call may take', '15s'))
    .action(
      runner.action<RegisterOptions, [string]>((host, ...rest) =>
        locked(host, () => registerFile(host, ...rest)),
      ),
    )
  module
    .command('unregister')
    .description('takes the type out of the cluster, and its file from this host')
    .argument('<type>')
    .action(
      runner.action<object, [string]>((host, ...rest) =>
        locked(host, () => unregister(host, ...rest)),
      ),
    )
  module
    .command('list')
    .description('the modules of this host, and how they stand with the cluster')
    .action(runner.action<object>((host) => list(host, null)))
  module
    .command('verify')
    .description('compares files with the hashes they were registered by')
    .argument('[type]')
    .action(runner.action<object, [string | undefined]>(verify))
  module
    .command('repair')
    .description('puts the registered file back, from a file or from another node that has it')
    .argument('<type>')
    .option('--file <file>', 'where it is intact; absent: another node of the cluster is asked')
    .action(
      runner.action<{ file?: string }, [string]>((host, ...rest) =>
        locked(host, () => repair(host, ...rest)),
      ),
    )
}

const files = (host: Host) => new PinnedFiles(host.folders.state)
const ask = (host: Host, what: TypeAsk) => askGuard(host.folders.run, { do: 'type', ask: what })
const changed = (host: Host, files = false) =>
  askGuard(host.folders.run, { do: 'modulesChanged', files })

/** Of two commands at once the second would write what the first has written over. */
async function locked<T>(host: Host, work: () => Promise<T>): Promise<T> {
  const lock = await takeLock(modulesFolder(host.folders.state), () => ({
    message: 'another holdfast-probe module command runs on this host',
    remedy: 'Nothing was changed. Run it again when that one is done.',
  }))
  try {
    return await work()
  } finally {
    lock.close()
  }
}

async function registerFile(host: Host, options: RegisterOptions, file: string): Promise<number> {
  const { bytes, sha256 } = readModule(resolve(file))
  const certificate = await certified(host, { timeout: options.try ? options.timeout : 0 }, file)
  if (!certificate.certified) {
    host.answer({ registered: false, ...documentOf(certificate) }, certificateText(certificate))
    return EXIT.problems
  }
  if (certificate.sha256 !== sha256)
    throw new HoldfastError({
      code: 'BAD_MODULE',
      message: `${file} has changed while it was certified`,
      remedy: 'Nothing was registered. Register it again.',
    })
  const { manifest } = certificate
  const { type, version, host: kind } = manifest
  const before = files(host).of(type)
  // The hive first: a file that is known there and runs nowhere harms nobody.
  await ask(host, { do: 'register', manifest, sha256 })
  const extension = file.endsWith('.ts') ? 'ts' : 'mjs'
  const same = before?.sha256 === sha256 && files(host).problem(before) === null
  if (!same) files(host).put(bytes, { type, version, sha256, host: kind }, extension)
  // Also when an earlier try has come no further than the files.
  await changed(host)
  const policy = { modules: { [type]: { commands: certificate.commands } } }
  const needs = certificate.commands.length > 0
  host.answer(
    { registered: true, changed: !same, type, version, sha256, policy: needs ? policy : null },
    [
      same
        ? `${type} ${version} is registered already`
        : `${type} ${version} is registered (SHA-256 ${sha256.slice(0, 12)}…)`,
      ...(needs
        ? [`The host policy has to have: ${JSON.stringify(policy)} (read when the probe starts)`]
        : []),
    ].join('\n'),
  )
  return EXIT.done
}

async function unregister(host: Host, _: object, type: string): Promise<number> {
  const pin = files(host).of(type)
  await ask(host, { do: 'unregister', type }).catch((error: unknown) => {
    // Taken out of the cluster on another host: here there is only the file left.
    const gone = error instanceof HoldfastError && error.refusal.code === 'NOT_FOUND'
    if (!gone || !pin) throw error
  })
  if (pin) {
    files(host).remove(pin)
    await changed(host)
  }
  host.answer(
    { unregistered: true, type, file: pin !== undefined },
    `${type} is unregistered${pin ? '' : '; this host had no file of it'}`,
  )
  return EXIT.done
}

interface Row {
  readonly type: string
  readonly version: string
  readonly sha256: string
  readonly host: string
  /** Null: the file is what its pin says. */
  readonly problem: string | null
  /** Whether the cluster knows the file; null: nobody could be asked. */
  readonly inCluster: boolean | null
}

async function rows(host: Host, only: string | null): Promise<Row[]> {
  const known = await registered(host)
  return files(host)
    .all()
    .filter((pin) => only === null || pin.type === only)
    .map((pin) => rowOf(host, pin, known))
}

function rowOf(host: Host, pin: ModulePin, known: readonly RegisteredType[] | null): Row {
  const { type, version, sha256, host: kind } = pin
  const there = known?.find((t) => t.manifest.type === type)
  const inCluster = known && (there?.versions ?? []).some((v) => v.sha256 === sha256)
  return { type, version, sha256, host: kind, problem: files(host).problem(pin), inCluster }
}

/** By the replica of this host; null: no guard answers. */
async function registered(host: Host): Promise<readonly RegisteredType[] | null> {
  try {
    const answer = await ask(host, { do: 'known' })
    return z.object({ types: z.array(registeredType) }).parse(answer).types
  } catch (error) {
    if (error instanceof HoldfastError) return null
    throw error
  }
}

async function list(host: Host, only: string | null): Promise<number> {
  const all = await rows(host, only)
  const texts = all.map((row) => [
    row.type,
    row.version,
    row.sha256.slice(0, 12),
    row.host,
    row.problem ?? 'intact',
    row.inCluster === null
      ? 'nobody could be asked'
      : row.inCluster
        ? 'registered'
        : 'not registered',
  ])
  const text = table(['type', 'version', 'sha256', 'host', 'file', 'cluster'], texts)
  host.answer({ modules: all }, all.length === 0 ? 'this host has no modules of its own' : text)
  const fine = all.every((row) => row.problem === null && row.inCluster !== false)
  return fine ? EXIT.done : EXIT.problems
}

async function verify(host: Host, _: object, type: string | undefined): Promise<number> {
  if (type !== undefined && !files(host).of(type)) throw unknown(type)
  return list(host, type ?? null)
}

async function repair(host: Host, options: { file?: string }, type: string): Promise<number> {
  const pin = files(host).of(type)
  if (!pin) throw unknown(type)
  const problem = files(host).problem(pin)
  if (problem === null) {
    host.answer({ repaired: false, changed: false, type }, `${type}: its file is intact`)
    return EXIT.done
  }
  const from = options.file ?? 'another node'
  const bytes = options.file ? readModule(resolve(options.file)).bytes : await fetched(host, pin)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  if (sha256 !== pin.sha256)
    throw new HoldfastError({
      code: 'BAD_MODULE',
      message: `${from} has another file than the one that is registered as ${type} ${pin.version}`,
      why: `Its SHA-256 is ${sha256}, registered is ${pin.sha256}. Nothing was changed.`,
      remedy: 'Name the file that was registered, or register this one as a new version.',
    })
  files(host).restore(pin, bytes)
  await changed(host, true).catch((error: unknown) => {
    // Without a guard there is nobody to tell: the next one finds it.
    if (!(error instanceof HoldfastError && error.refusal.code === 'NOT_RUNNING')) throw error
  })
  host.answer(
    { repaired: true, changed: true, type, from, was: problem },
    `${type}: its file is intact again, from ${from} (${problem})`,
  )
  return EXIT.done
}

/** What comes is compared with the pin: it may come from anywhere. */
async function fetched(host: Host, { type, sha256 }: ModulePin): Promise<Buffer> {
  const answer = z
    .object({ text: moduleText })
    .parse(await ask(host, { do: 'fetch', type, sha256 }))
  if (answer.text !== null) return Buffer.from(answer.text, 'base64')
  throw new HoldfastError({
    code: 'UNAVAILABLE',
    message: `no other node has an intact file of ${type}`,
    why: `Nobody that is connected has the one with SHA-256 ${sha256.slice(0, 12)}…`,
    remedy: `Name one: holdfast-probe module repair ${type} --file FILE`,
  })
}

const unknown = (type: string) =>
  new HoldfastError({
    code: 'NOT_FOUND',
    message: `this host has no module of type "${type}"`,
    why: 'Nothing is registered here under that name.',
    remedy:
      'List them: holdfast-probe module list. Register one: holdfast-probe module register FILE',
  })
