/** docs/cli.md, made from the commands: `npm run docs`. */
import { Runner } from '../cli/command.ts'
import { EXIT_MEANS } from '../cli/exit-codes.ts'
import { makeProgram } from '../cli/program.ts'
import { ofThisProcess } from '../cli/surroundings.ts'
import { topics } from '../schema/api/fields.ts'
import { commandTexts, optionTable, table } from './commands-text.ts'

export function renderCliDocs(): string {
  const program = makeProgram(new Runner(ofThisProcess(new AbortController().signal)))
  const parts = [
    HEAD,
    '## Options of every command',
    optionTable(program.options),
    '## Commands',
    ...commandTexts(program),
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
