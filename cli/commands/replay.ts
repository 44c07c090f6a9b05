/** What would have happened under another policy: the journal, taken through the decisions again. */
import { type Command, InvalidArgumentError } from 'commander'
import { type ReplayPolicy, type ReplayView, replayPolicy } from '../../schema/api/replay.ts'
import { instant, type Runner } from '../command.ts'
import type { Session } from '../session.ts'
import { clean, table } from '../text.ts'

const KEYS = ['isAliveMs', 'attempts', 'failoverThreshold', 'failoverPeriodMs', 'profile'] as const

export function addReplay(program: Command, runner: Runner): void {
  program
    .command('replay')
    .description('failovers that another policy would have spared, or made; nothing is changed')
    .argument('[group]', 'only what is about this one')
    .addOption(instant('--since', 'from here on').default(undefined, '24h'))
    .requiredOption('--set <key=value>', `once or more often: ${KEYS.join(', ')}`, setting)
    .action(runner.action(replay))
}

/** One more setting; a value that fits nothing is refused by the schema that the API has. */
function setting(text: string, before: Partial<ReplayPolicy> = {}): Partial<ReplayPolicy> {
  const [, key = '', value = ''] = /^([A-Za-z]+)=(.+)$/.exec(text) ?? []
  const given = { ...before, [key]: /^\d+$/.test(value) ? Number(value) : value }
  const parsed = replayPolicy.safeParse(given)
  if (parsed.success) return parsed.data
  const problem = parsed.error.issues[0]?.message ?? ''
  throw new InvalidArgumentError(`Write one of ${KEYS.join(', ')}, as in attempts=5. ${problem}`)
}

const DAY_MS = 24 * 3_600_000

async function replay(
  session: Session,
  options: { since?: number; set: ReplayPolicy },
  group?: string,
): Promise<undefined> {
  const answer = await session.inCluster('replay', {
    body: {
      sinceMs: options.since ?? Date.now() - DAY_MS,
      policy: options.set,
      ...(group !== undefined && { group }),
    },
  })
  session.out.answer(answer, () => replayText(answer))
}

function replayText({ sinceMs, entries, policy, decisions, unknown }: ReplayView): string {
  const said = Object.entries(policy).map(([key, value]) => `${key}=${value}`)
  const spared = decisions.filter((one) => one.happened && !one.would).length
  const more = decisions.filter((one) => !one.happened && one.would).length
  const real = decisions.filter((one) => one.happened).length
  const rows = decisions.map((one) => [
    new Date(one.atMs).toISOString(),
    one.groups.join(',') || '-',
    one.node,
    one.id ?? '-',
    one.happened ? 'yes' : 'no',
    one.would ? 'yes' : 'no',
    clean(one.why),
  ])
  return [
    `since ${new Date(sinceMs).toISOString()} (${entries} entries of the journal), with ${said.join(', ')}:`,
    `of ${real} that happened ${spared} would not have; ${more} more would have`,
    ...(rows.length > 0
      ? ['', table(['when', 'group', 'from', 'id', 'happened', 'would', 'why'], rows)]
      : []),
    ...unknown.map((text) => `not known: ${text}`),
  ].join('\n')
}
