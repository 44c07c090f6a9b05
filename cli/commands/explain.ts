import type { Command } from 'commander'
import { explainField, type FieldInfo, topics } from '../../schema/api/fields.ts'
import { HoldfastError } from '../../schema/errors.ts'
import type { Runner } from '../command.ts'
import { defaultText } from '../field-text.ts'
import type { Session } from '../session.ts'
import { nearest } from '../suggest.ts'
import { facts } from '../text.ts'

export function addExplain(program: Command, runner: Runner): void {
  program
    .command('explain')
    .description('what a setting means: type, bounds, default; alone: what there is')
    .argument('[field...]', 'e.g. group.failoverThreshold, or resource process.command')
    .action(runner.action(explain))
}

async function explain(session: Session, _: unknown, words: string[]): Promise<undefined> {
  if (words.length === 0) {
    const all = topics()
    const rows = all.map(({ name, about }) => [name, about])
    session.out.answer({ topics: all }, () => facts(rows))
    return
  }
  const path = words.flatMap((word) => word.split('.')).filter((part) => part !== '')
  const isType = path[0] === 'resource' && topics().some(({ name }) => name === path[1])
  const asked = isType ? path.slice(1) : path
  const found = explainField(asked)
  if ('known' in found) throw noField(asked, found.known)
  session.out.answer(found, () => fieldText(asked.join('.'), found))
}

function fieldText(path: string, field: FieldInfo): string {
  const own = [
    ['field', path],
    ['is', field.description || '-'],
    ['type', field.type + (field.bounds ? `, ${field.bounds}` : '')],
    ['default', defaultText(field) || 'none'],
  ]
  const below = field.fields.map((one) => [
    `  ${one.name}`,
    one.type,
    defaultText(one),
    one.description,
  ])
  // A topic is a record: its own type and default say nothing.
  const head = path.includes('.') ? facts(own) : `${path}: ${field.description}`
  return below.length === 0 ? head : `${head}\n${facts(below)}`
}

function noField(path: readonly string[], known: readonly string[]): HoldfastError {
  const wrong = path.findLast((part) => !known.includes(part)) ?? ''
  const near = path.map((part) => nearest(part, known)).find((one) => one !== null)
  return new HoldfastError({
    code: 'NOT_FOUND',
    message: `there is no field "${path.join('.')}"`,
    why: known.length > 0 ? `There are: ${known.join(', ')}.` : `"${wrong}" has no fields.`,
    remedy: near ? `did you mean "${near}"?` : 'List what there is: holdfast explain',
  })
}
