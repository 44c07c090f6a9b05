import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { noun, type Runner } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { fileName, readText } from '../read-text.ts'
import type { Session } from '../session.ts'
import { fromRoot } from '../surroundings.ts'
import { clean } from '../text.ts'

export function addImport(program: Command, runner: Runner): void {
  const imported = noun('import', 'the configuration of another cluster manager, as one of ours')
  imported
    .command('pacemaker')
    .description('a CIB (cibadmin --query) as YAML; 3 when something has no counterpart')
    .argument('<cib>', 'XML; - is standard input')
    .option('-o, --out <file>', 'writes the YAML there')
    .action(runner.action(pacemaker))
  program.addCommand(imported)
}

async function pacemaker(
  session: Session,
  { out }: { out?: string },
  cib: string,
): Promise<number> {
  const { importPacemaker } = await import('../pacemaker/convert.ts')
  const { configText } = await import('../config-file.ts')
  const text = await readText(
    session.surroundings,
    cib,
    'Write it on a host of the old cluster: cibadmin --query > cib.xml',
  )
  const { config, unmapped, nodes } = importPacemaker(text, fileName(cib))
  const yaml = configText(config)
  if (out !== undefined) writeFileSync(fromRoot(session.surroundings, out), yaml)
  session.out.answer({ config, unmapped, nodes }, () =>
    out === undefined ? yaml.trimEnd() : `${out} is written; next: holdfast plan -f ${out}`,
  )
  if (!session.out.json) {
    if (nodes.length > 0)
      session.out.note(`hosts that have to join by these names: ${nodes.join(', ')}`)
    if (unmapped.length > 0) session.out.note(`not taken over (${unmapped.length}):`)
    for (const { what, id, why } of unmapped)
      session.out.note(`  ${clean(what)} ${clean(id)}: ${clean(why)}`)
  }
  return unmapped.length > 0 ? EXIT.problems : EXIT.done
}
