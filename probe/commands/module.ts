/** `module`: resource modules of one's own (S-52). */
import { existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { HoldfastError } from '../../schema/errors.ts'
import { typeName } from '../../schema/ids.ts'
import { RESOURCE_TYPES } from '../../schema/resource-types/index.ts'
import { tryInChild } from '../certify/in-child.ts'
import { moduleTemplate } from '../modules/template.ts'
import { type CertifyFlags, certificateText, certified, documentOf } from './certificate.ts'
import { EXIT } from './exit-codes.ts'
import type { Host, Runner } from './host.ts'
import { addModuleFiles } from './module-files.ts'
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
    .action(runner.action<CertifyFlags, [string]>(certifyFile))
  addModuleFiles(module, runner)
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
  try {
    writeFileSync(file, moduleTemplate(type), { flag: 'wx' })
  } catch (error) {
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `${file} cannot be written`,
      why: (error as Error).message,
      remedy: `Make the folder (mkdir -p ${folder}), or choose another --folder.`,
    })
  }
  host.answer(
    { type, file: resolve(file) },
    `${file}: keeps a program running, as it is; make it yours.\nTry it: holdfast-probe module certify ${file}`,
  )
  return EXIT.done
}

async function certifyFile(host: Host, options: CertifyFlags, file: string): Promise<number> {
  const result = await certified(host, options, file)
  host.answer(documentOf(result), certificateText(result))
  return result.certified ? EXIT.done : EXIT.problems
}
