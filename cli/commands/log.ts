import type { Command } from 'commander'
import type { LogView } from '../../schema/api/bodies.ts'
import type { Query } from '../../schema/api/routes.ts'
import { instant, type Runner, wholeNumber } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import type { Session } from '../session.ts'
import { clean } from '../text.ts'
import { unlessAway } from '../wait.ts'

/** How much of the past is shown when nothing else is asked for. */
const LOG_SHOWN = 200
const PAGE = 1_000
const LONG_POLL_MS = 20_000
const RETRY_MS = 1_000

export function addLog(program: Command, runner: Runner): void {
  program
    .command('log')
    .description('the cluster log: what each component on each node did')
    .option('--resource <name>', 'only about this resource (a GUID also of a deleted one)')
    .option('--group <name>', 'only about this group and what is in it')
    .option('--node <name>', 'only what this node wrote; "control" for the control plane')
    .option('--component <name>', 'RCM, RHS, FM, NM, GUM, DM, EVT, COMM or TIME')
    .option('--correlation <id>', 'only what came from one cause')
    .addOption(instant('--since', 'from then on'))
    .addOption(instant('--until', 'up to then'))
    .option('--after <id>', 'only what came after this number', wholeNumber)
    .option('-f, --follow', 'goes on with what comes')
    .action(runner.action(log))
}

interface LogOptions {
  follow?: true
  after?: number
  component?: string
  resource?: string
  group?: string
  node?: string
  correlation?: string
  since?: number
  until?: number
}

async function log(session: Session, options: LogOptions): Promise<number> {
  const filter = filterOf(options)
  const limit = options.after === undefined && options.since === undefined ? LOG_SHOWN : PAGE
  const past = options.after === undefined ? {} : { after: options.after }
  const page = await session.inCluster('listLog', { query: { ...filter, ...past, limit } })
  if (!options.follow) {
    session.out.answer(page, () => page.entries.map(logLine).join('\n'))
    if (page.entries.length === PAGE) session.out.note(`There may be more than these ${PAGE}.`)
    return EXIT.done
  }
  for (const entry of page.entries) session.out.item(entry, () => logLine(entry))
  return follow(session, filter, page.next)
}

function filterOf(options: LogOptions): NonNullable<Query<'listLog'>> {
  const { component, correlation, since, until } = options
  return {
    ...(options.resource && { resource: options.resource }),
    ...(options.group && { group: options.group }),
    ...(options.node && { node: options.node }),
    ...(component && { component: component.toUpperCase() }),
    ...(correlation && { correlationId: correlation }),
    ...(since !== undefined && { sinceMs: since }),
    ...(until !== undefined && { untilMs: until }),
  }
}

/** Time, node, component, what it is about, and what was said (S-97). */
export function logLine(entry: LogView): string {
  const subject = [entry.group, entry.resource ?? entry.resourceId].filter(Boolean).join('/')
  const at = new Date(entry.atMs).toISOString()
  return `${at} ${entry.node} [${entry.component}] ${subject || '-'} ${clean(entry.message)}`
}

/** One long poll after the other, until Ctrl-C: log lines are not part of the event stream. */
async function follow(session: Session, filter: object, from: number): Promise<number> {
  let after = from
  let away = false
  try {
    for (;;) {
      const query = { ...filter, after, limit: PAGE, waitMs: LONG_POLL_MS }
      const page = await unlessAway(() => session.inCluster('listLog', { query }))
      if (!page && !away) session.out.note('The control plane does not answer; asking again …')
      away = !page
      if (!page) {
        await new Promise((done) => setTimeout(done, RETRY_MS))
        session.signal.throwIfAborted()
        continue
      }
      for (const entry of page.entries) session.out.item(entry, () => logLine(entry))
      after = page.next
    }
  } catch (error) {
    if (session.signal.aborted) return EXIT.interrupted
    throw error
  }
}
