/** `module`: resource modules of one's own (S-52). */
import { existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { HoldfastError } from '../../schema/errors.ts'
import { typeName } from '../../schema/ids.ts'
import { RESOURCE_TYPES } from '../../schema/resource-types/index.ts'
import { type Certificate, certify } from '../certify/certify.ts'
import type { Verdict } from '../certify/contract.ts'
import { tryInChild } from '../certify/in-child.ts'
import { moduleTemplate } from '../modules/template.ts'
import { EXIT } from './exit-codes.ts'
import type { Host, Runner } from './host.ts'
import { timeout } from './options.ts'

export function addModule(program: Command, runner: Runner): void {
  const module = program.command('module').description('resource modules of your own')
  module
    .command('new')
    .description('writes a module that works, to begin from')
    .argument('<type>', 'name of the resource type, such as my-database')
    .option('--folder <folder>', 'where to', '.')
    .action(runner.action<{ folder: string }, [string]>(create))
  module
    .command('certify')
    .description(
      'starts what the module takes for an example, and tries all that is promised of it',
    )
    .argument('<file>', 'the module')
    .option('--log', 'shows what it logs meanwhile')
    .addOption(timeout('how long one call may take', '15s'))
    .action(runner.action<{ timeout: number; log?: true }, [string]>(certifyFile))
  module
    .command('try', { hidden: true })
    .argument('<file>')
    .argument('<folder>')
    .argument('<owner>')
    .argument('<timeout>')
    .action(async (file: string, folder: string, owner: string, timeoutMs: string) => {
      await tryInChild({ file, folder, owner, timeoutMs: Number(timeoutMs) })
      process.exit()
    })
}

async function create(host: Host, { folder }: { folder: string }, type: string): Promise<number> {
  const name = typeName.safeParse(type)
  if (!name.success || RESOURCE_TYPES.has(type))
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `"${type}" cannot be the name of a new type`,
      why: name.success
        ? 'A type of that name comes with the probe.'
        : 'A name has small letters, digits, and single dashes between them.',
      remedy: 'holdfast-probe module new my-database',
    })
  const file = join(folder, `${type}.mjs`)
  if (existsSync(file))
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `${file} is there already`,
      why: 'Nothing was written over it.',
      remedy: 'Choose another name, or another --folder.',
    })
  writeFileSync(file, moduleTemplate(type), { flag: 'wx' })
  host.answer(
    { type, file: resolve(file) },
    `${file}: keeps a program running, as it is; make it yours.\nTry it: holdfast-probe module certify ${file}`,
  )
  return EXIT.done
}

async function certifyFile(
  host: Host,
  options: { timeout: number; log?: true },
  file: string,
): Promise<number> {
  const log = (message: string) => host.note(`  log: ${message}`)
  const result = await certify({
    ...{ file: resolve(file), timeoutMs: options.timeout },
    ...(options.log && { log }),
  })
  if ('why' in result)
    throw new HoldfastError({
      code: 'BAD_MODULE',
      message: `${file} is no module that can be used`,
      why: result.why,
      remedy: 'Correct it, and certify it again. One to begin from: holdfast-probe module new NAME',
    })
  host.answer(result, certificateText(result))
  return result.certified ? EXIT.done : EXIT.problems
}

const WORDS: Readonly<Record<Verdict['verdict'], string>> = {
  kept: 'kept  ',
  broken: 'BROKEN',
  notApplicable: '-     ',
}

function certificateText(certificate: Certificate): string {
  const { type, version, sha256, certified, checks, commands } = certificate
  const lines = checks.map(({ verdict, title, detail }) => {
    const more = detail === '' ? '' : `: ${detail}`
    return `  ${WORDS[verdict]}  ${title}${more}`
  })
  const broken = checks.filter((check) => check.verdict === 'broken').length
  const policy = JSON.stringify({ modules: { [type]: { commands } } })
  return [
    ...lines,
    certified
      ? `${type} ${version} keeps the contract (SHA-256 ${sha256.slice(0, 12)}…)`
      : `${type} ${version} does not keep the contract: ${broken} of ${checks.length} broken`,
    ...(commands.length > 0 ? [`To start it, a host's policy has to have: ${policy}`] : []),
  ].join('\n')
}
