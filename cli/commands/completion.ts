/** Shell completion: the library knows the shells, the commands and the cluster know the words. */
import { RootCommand, script } from '@bomb.sh/tab'
import { Argument, type Command } from 'commander'
import type { Runner } from '../command.ts'
import type { Session } from '../session.ts'

const SHELLS = ['bash', 'zsh', 'fish']
/** Whoever presses Tab waits no longer than this for names. */
const BUDGET_MS = 300

export function addCompletion(program: Command, runner: Runner): void {
  program
    .command('completion')
    .description('completion for a shell, e.g. source <(holdfast completion bash)')
    .addArgument(new Argument('<shell>', SHELLS.join(', ')).choices(SHELLS))
    .action(
      runner.action(async (session, _: unknown, shell: string) => {
        const text = captured(() => script(shell, program.name(), program.name()))
        session.out.answer({ shell, script: text }, () => text)
      }),
    )
  program
    .command('complete', { hidden: true })
    .description('what may stand here; called by the shell')
    .argument('[words...]')
    .action(
      runner.action(async (session, _: unknown, words: string[]) => {
        const names = await knownNames(session)
        const text = captured(() => completer(program, names).parse([...words]))
        session.out.answer({ completions: text.split('\n') }, () => text)
      }),
    )
}

type Names = Readonly<Record<string, readonly string[]>>

/** By the kind that arguments and options are called after. Quiet: a Tab is no place for errors. */
async function knownNames(session: Session): Promise<Names> {
  // Aborted, not only left behind: an open request would keep the process, and the shell, waiting.
  const view = await session
    .within(BUDGET_MS)
    .view()
    .catch(() => null)
  if (!view) return {}
  const node = view.nodes.map((one) => one.name)
  const group = view.groups.map((one) => one.name)
  const resource = view.groups.flatMap((one) => one.resources.map((r) => r.name))
  return { node, group, resource, any: [...new Set([...group, ...resource, ...node])] }
}

/** Which names an argument or the value of an option takes, by what the help calls it. */
function kindOf(name: string): string | null {
  if (/^(?:preferred-owners|possible-owners|to)$/.test(name)) return 'node'
  if (/^(?:group-or-resource|name)$/.test(name)) return 'any'
  if (name === 'depends-on') return 'resource'
  return /^(?:node|group|resource)$/.test(name) ? name : null
}

function completer(program: Command, names: Names): RootCommand {
  const root = new RootCommand()
  describeTo(root, program, names)
  const add = (command: Command, path: string) => {
    for (const one of command.commands.filter(isVisible)) {
      const full = `${path} ${one.name()}`.trim()
      describeTo(root.command(full, one.description()), one, names)
      add(one, full)
    }
  }
  add(program, '')
  return root
}

const isVisible = (command: Command) => command.name() !== 'complete'

function describeTo(
  to: RootCommand | ReturnType<RootCommand['command']>,
  of: Command,
  names: Names,
) {
  for (const option of of.options) {
    const name = option.attributeName() && option.long?.replace(/^--(?:no-)?/, '')
    if (!name) continue
    const words = option.argChoices ?? names[kindOf(name) ?? ''] ?? []
    const long = option.long?.slice(2) ?? name
    const takesValue = option.required || option.optional
    const short = option.short?.slice(1)
    if (takesValue) to.option(long, option.description, (say) => sayAll(say, words), short)
    else if (short) to.option(long, option.description, short)
    else to.option(long, option.description)
  }
  // A name that is made up is not one that is known already.
  const makes = of.name() === 'create'
  for (const argument of of.registeredArguments) {
    const kind = makes ? null : kindOf(argument.name())
    const words = argument.argChoices ?? names[kind ?? ''] ?? []
    to.argument(argument.name(), (say) => sayAll(say, words), argument.variadic)
  }
}

function sayAll(say: (value: string, about: string) => void, words: readonly string[]): void {
  for (const word of words) say(word, '')
}

/** The library writes to the console; what it says is the answer of a command here. */
function captured(run: () => void): string {
  const before = console.log
  const lines: string[] = []
  console.log = (text: unknown) => lines.push(String(text))
  try {
    run()
  } finally {
    console.log = before
  }
  return lines.join('\n')
}
