/** The commands of a program as Markdown, made from their definitions. */
import type { Argument, Command, Option } from 'commander'

/** One section for each command, in the order of the help. */
export const commandTexts = (program: Command): string[] =>
  leaves(program, '').map((leaf) => commandText(program.name(), leaf))

interface Leaf {
  readonly path: string
  readonly command: Command
}

function leaves(command: Command, path: string): Leaf[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== 'help')
    .flatMap((one) => {
      const full = `${path} ${one.name()}`.trim()
      return one.commands.length === 0 ? [{ path: full, command: one }] : leaves(one, full)
    })
}

function commandText(name: string, { path, command }: Leaf): string {
  const words = command.registeredArguments.map(usageOf)
  const usage = [name, path, ...words, ...(command.options.length > 0 ? ['[options]'] : [])]
  const about = command.description()
  const alias = command.aliases().map((one) => ` Also \`${one}\`.`)
  const parts = [
    `### ${path}`,
    `${about.charAt(0).toUpperCase()}${about.slice(1)}.${alias.join('')}`,
    `\`\`\`sh\n${usage.join(' ')}\n\`\`\``,
  ]
  const said = command.registeredArguments.filter((one) => one.description !== '')
  if (said.length > 0)
    parts.push(
      table(
        ['argument', 'is'],
        said.map((one) => [`\`${usageOf(one)}\``, one.description]),
      ),
    )
  if (command.options.length > 0) parts.push(optionTable(command.options))
  return parts.join('\n\n')
}

function usageOf(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? '…' : '')
  return argument.required ? `<${name}>` : `[${name}]`
}

export function optionTable(all: readonly Option[]): string {
  const rows = all
    .filter((one) => !one.hidden)
    .map((one) => [`\`${one.flags}\``, [one.description, ...notes(one)].filter(Boolean).join('; ')])
  return table(['option', 'is'], rows)
}

function notes(option: Option): string[] {
  const { argChoices, defaultValue, defaultValueDescription, mandatory } = option
  const value = defaultValueDescription ?? (defaultValue === true ? undefined : defaultValue)
  return [
    ...(argChoices ? [`one of ${argChoices.join(', ')}`] : []),
    ...(mandatory ? ['required'] : []),
    ...(value === undefined ? [] : [`default ${String(value)}`]),
  ]
}

export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`
  return [line(titles), `|${titles.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}

const escaped = (text: string) => text.replaceAll('|', '\\|')
