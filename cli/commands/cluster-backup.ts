/** A cluster into a file, and a new one from it. */
import { createHash } from 'node:crypto'
import type { Command } from 'commander'
import { readBackup } from '../../schema/api/backup.ts'
import type { Runner } from '../command.ts'
import { readText } from '../read-text.ts'
import type { Session } from '../session.ts'
import { writeWhole } from '../write-whole.ts'

export function addBackup(cluster: Command, runner: Runner): void {
  cluster
    .command('backup')
    .description(
      'configuration and journal of a cluster in a file with a checksum, without secrets',
    )
    .argument('[name]')
    .option('-o, --out <file>', 'where to; by default NAME-backup.jsonl')
    .action(runner.action(backup))
  cluster
    .command('restore')
    .description(
      'makes a new cluster from a backup; nothing is started until hosts join it. The cluster that it was made of has to be stopped first',
    )
    .argument('<file>', 'what `cluster backup` has written; "-": standard input')
    .requiredOption('--as <name>', 'of the new cluster')
    .action(runner.action(restore))
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

async function backup(
  session: Session,
  { out }: { out?: string },
  name?: string,
): Promise<undefined> {
  if (name !== undefined) session.select(name)
  const text = await session.inCluster('backupCluster')
  // Judged as it will be when it is needed: what was cut off on the way is no backup.
  const { header, updates, entries } = readBackup(text, hashOf)
  const { cluster, seq, hash, withheld } = header
  const file = out ?? `${cluster.name}-backup.jsonl`
  writeWhole(session.surroundings, file, text)
  const bytes = Buffer.byteLength(text)
  const said = { file, bytes, cluster: cluster.name, seq, hash, updates, entries, withheld }
  session.out.answer(said, () =>
    [
      `${file} written: cluster ${cluster.name} at ${seq}, ${updates} updates, ${entries} entries of the journal, ${Math.ceil(bytes / 1024)} KB`,
      `not in it: ${withheld.join('; ')}`,
    ].join('\n'),
  )
}

async function restore(
  session: Session,
  { as: name }: { as: string },
  file: string,
): Promise<undefined> {
  const remedy = 'Make one first: holdfast cluster backup NAME'
  const text = await readText(session.surroundings, file, remedy)
  const { header, hiveJson: hive } = readBackup(text, hashOf)
  const made = await session.call('restoreCluster', { body: { name, header, hive } })
  const { from, places, groups } = made
  session.out.answer(made, () =>
    [
      `cluster ${made.name} made from ${from.cluster} at ${from.seq}: ${groups} groups, nothing of it runs (${made.id})`,
      ...(places.length > 0
        ? [`hosts that join by these names take their places: ${places.join(', ')}`]
        : []),
    ].join('\n'),
  )
  session.out.note(
    `before a host joins it, ${from.cluster} has to be stopped: two clusters may not run the same groups`,
  )
  session.out.note(`next: holdfast token create --cluster ${made.name}`)
}
