/** docs/cli.md, made from the commands: `npm run docs`. */
import type { Argument, Command, Option } from 'commander'
import { Runner } from '../cli/command.ts'
import { EXIT_MEANS } from '../cli/exit-codes.ts'
import { makeProgram } from '../cli/program.ts'
import { topics } from '../schema/api/fields.ts'

export function renderCliDocs(): string {
  const program = makeProgram(new Runner())
  const parts = [
    HEAD,
    '## Options of every command',
    options(program.options),
    '## Commands',
    ...leaves(program, '').map(commandText),
    '## Exit codes',
    table(
      ['code', 'means'],
      EXIT_MEANS.map(({ code, means }) => [`${code}`, means]),
    ),
    '## Error codes',
    'Each error names its code; the same code stands in the answer of the API.',
    '[errors](errors/README.md) has all of them, each with its exit code.',
    '## Settings',
    'What `holdfast explain` knows; `holdfast explain group` lists the fields of one.',
    table(
      ['topic', 'is'],
      topics().map(({ name, about }) => [`\`${name}\``, about]),
    ),
  ]
  return `${parts.join('\n\n')}\n`
}

const HEAD = `# The \`holdfast\` command

<!-- Made from the commands by \`npm run docs\`; a test fails when it is stale. -->

Data goes to stdout, messages to stderr. With \`--json\` stdout is exactly one JSON document, also when
the command fails (\`{"error": …}\`); commands that go on (\`--watch\`, \`--follow\`) write JSON Lines.
A failure says what happened, why, what to do, and where to read about it.

Names of nodes, groups and resources may be GUIDs everywhere. Commands that only look also take the
beginning of a name, if nothing else begins so; commands that change something never do. Where a
group and a resource have one name, \`group/web\` and \`resource/web\` tell them apart.

What cannot be undone asks first. Without a terminal, and with \`--json\`, nobody is asked: then it
takes \`--yes\`.

\`status --watch\`, \`events --follow\`, \`wait\` and every command that waits learn of changes by the
event stream of the control plane, a WebSocket. Where a proxy does not let it through they use long
polls.

Colours follow \`--color\`, \`NO_COLOR\`, \`FORCE_COLOR\` and \`TERM=dumb\`; \`--ascii\` avoids all other signs.`

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

function commandText({ path, command }: Leaf): string {
  const words = command.registeredArguments.map(usageOf)
  const usage = ['holdfast', path, ...words, ...(command.options.length > 0 ? ['[options]'] : [])]
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
  if (command.options.length > 0) parts.push(options(command.options))
  return parts.join('\n\n')
}

function usageOf(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? '…' : '')
  return argument.required ? `<${name}>` : `[${name}]`
}

function options(all: readonly Option[]): string {
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

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`
  return [line(titles), `|${titles.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}

const escaped = (text: string) => text.replaceAll('|', '\\|')
