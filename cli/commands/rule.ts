import { type Command, Option } from 'commander'
import { HoldfastError } from '../../schema/errors.ts'
import { list, noun, type Runner } from '../command.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import type { Session } from '../session.ts'
import { table } from '../text.ts'

export function addRule(program: Command, runner: Runner): void {
  const rule = noun('rule', 'what keeps groups apart or together')
  rule.command('list').description('all rules').action(runner.action(listRules))
  rule
    .command('create')
    .description('makes a rule; it holds for groups that are wanted online')
    .argument('<name>')
    .addOption(
      new Option('--keep-apart <groups>', 'never on one node, e.g. db1,db2')
        .argParser(list)
        .conflicts('keepTogether'),
    )
    .addOption(new Option('--keep-together <groups>', 'always on one node').argParser(list))
    .option('--hard', 'holds always: a group waits, or moves, rather than break it')
    .action(runner.action(create))
  rule
    .command('delete')
    .description('removes a rule')
    .argument('<name>')
    .addOption(yesOption())
    .action(runner.action(remove))
  program.addCommand(rule)
}

async function listRules(session: Session): Promise<undefined> {
  const answer = await session.inCluster('listRules')
  const rows = answer.rules.map((rule) => [
    rule.name,
    rule.kind === 'keepApart' ? 'keep apart' : 'keep together',
    rule.hard ? 'hard' : 'soft',
    rule.groups.join(','),
    rule.createdBy,
  ])
  session.out.answer(answer, () => table(['name', 'rule', 'holds', 'groups', 'by'], rows))
}

interface Options {
  keepApart?: string[]
  keepTogether?: string[]
  hard?: true
}

async function create(session: Session, options: Options, name: string): Promise<undefined> {
  const groups = options.keepApart ?? options.keepTogether
  if (!groups)
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `rule "${name}" says nothing about any groups`,
      remedy: 'Give --keep-apart or --keep-together with two groups or more.',
    })
  const kind = options.keepApart ? 'keepApart' : 'keepTogether'
  const done = await session.inCluster('createRule', {
    body: { name, kind, groups, hard: options.hard ?? false },
  })
  session.out.answer(done, () => `rule ${name} made (seq ${done.seq})`)
}

async function remove(session: Session, options: YesOption, name: string): Promise<undefined> {
  await confirm(session, `delete rule ${name}`, options)
  const done = await session.inCluster('deleteRule', { params: { rule: name } })
  session.out.answer(done, () => `rule ${name} removed (seq ${done.seq})`)
}
