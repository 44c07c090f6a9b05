/** An organisation as a file, and its end. */
import { createHash } from 'node:crypto'
import type { Command } from 'commander'
import { readExport } from '../../schema/api/organisation.ts'
import type { Runner } from '../command.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import type { Session } from '../session.ts'
import { writeWhole } from '../write-whole.ts'

export function addOrganisationEnd(org: Command, runner: Runner): void {
  org
    .command('export')
    .description(
      'all that the organisation has, without secrets, in a file with a checksum; of owners alone',
    )
    .option('-o, --out <file>', 'where to', 'organisation.jsonl')
    .action(runner.action(exportAll))
  org
    .command('delete')
    .description(
      'deletes the organisation that is in use, with its clusters, keys and logs; of owners alone',
    )
    .argument('<name>', 'its name, so that it is not another one')
    .option('--force', 'also while groups run; their hosts stop them when their leases end')
    .addOption(yesOption())
    .action(runner.action(remove))
}

async function exportAll(session: Session, { out }: { out: string }): Promise<undefined> {
  const text = await session.call('exportOrganisation')
  const counts = readExport(text, (one) => createHash('sha256').update(one).digest('hex'))
  writeWhole(session.surroundings, out, text)
  const bytes = Buffer.byteLength(text)
  session.out.answer({ file: out, bytes, lines: Object.fromEntries(counts) }, () =>
    [
      `${out} written: ${Math.ceil(bytes / 1024)} KB`,
      ...[...counts].map(([what, many]) => `  ${what}: ${many}`),
    ].join('\n'),
  )
}

async function remove(
  session: Session,
  { force = false, ...options }: YesOption & { force?: boolean },
  name: string,
): Promise<undefined> {
  await confirm(session, `delete organisation ${name} with all its clusters, for good`, options)
  const done = await session.call('deleteOrganisation', { body: { confirm: name, force } })
  const { clusters, pending } = done
  session.out.answer(done, () =>
    [
      `organisation ${done.organisation} is deleted, with ${clusters} ${clusters === 1 ? 'cluster' : 'clusters'}`,
      ...(pending > 0 ? [`the storage of ${pending} of them is deleted as soon as it can be`] : []),
    ].join('\n'),
  )
}
