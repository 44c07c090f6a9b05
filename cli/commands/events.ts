import type { Command } from 'commander'
import type { EventView, LogView } from '../../schema/api/bodies.ts'
import { type Runner, wholeNumber } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import type { Session } from '../session.ts'
import { clean } from '../text.ts'
import { unlessAway } from '../wait.ts'

/** How much of the past is shown when nothing else is asked for. */
const EVENTS_SHOWN = 50
const LOG_SHOWN = 200
const PAGE = 1_000
const LONG_POLL_MS = 20_000
const RETRY_MS = 1_000

export function addEvents(program: Command, runner: Runner): void {
  program
    .command('events')
    .description('global updates in order, each with its reason')
    .option('-f, --follow', 'goes on with what comes')
    .option('--since <seq>', 'only what came after this number', wholeNumber)
    .action(runner.action(events))
}

export function addLog(program: Command, runner: Runner): void {
  program
    .command('log')
    .description('the cluster log: what each component on each node did')
    .option('--component <name>', 'RCM, RHS, FM, NM, GUM, DM, EVT, COMM or TIME')
    .option('--resource <name>', 'only what is about this resource')
    .option('--correlation <id>', 'only what came from one cause')
    .option('--since <id>', 'only what came after this number', wholeNumber)
    .option('-f, --follow', 'goes on with what comes')
    .action(runner.action(log))
}

export function addHive(program: Command, runner: Runner): void {
  program
    .command('hive')
    .description('the cluster configuration database as key-value tree, or one key of it')
    .argument('[path]', 'e.g. /Cluster/Resources')
    .option('--version <number>', '1 is the snapshot of the first set-up', wholeNumber)
    .action(runner.action(hive))
}

interface EventsOptions {
  follow?: true
  since?: number
}

async function events(session: Session, options: EventsOptions): Promise<number> {
  let after = options.since ?? Math.max(0, (await session.view()).seq - EVENTS_SHOWN)
  const shown: EventView[] = []
  for (;;) {
    const page = await session.inCluster('listEvents', { query: { after, limit: PAGE } })
    shown.push(...page.events)
    after = page.next
    if (page.events.length < PAGE) break
  }
  if (!options.follow) {
    session.out.answer({ events: shown, next: after }, () => shown.map(eventLine).join('\n'))
    return EXIT.done
  }
  for (const event of shown) session.out.item(event, () => eventLine(event))
  return follow(session, async () => {
    const query = { after, limit: PAGE, waitMs: LONG_POLL_MS }
    const page = await session.inCluster('listEvents', { query })
    for (const event of page.events) session.out.item(event, () => eventLine(event))
    after = page.next
  })
}

export const eventLine = (event: EventView) =>
  `${new Date(event.atMs).toISOString()}  ${event.seq}  ${event.type}  ${clean(event.message)}`

interface LogOptions extends EventsOptions {
  component?: string
  resource?: string
  correlation?: string
}

async function log(session: Session, options: LogOptions): Promise<number> {
  const filter = {
    ...(options.component && { component: options.component.toUpperCase() }),
    ...(options.resource && { resource: options.resource }),
    ...(options.correlation && { correlationId: options.correlation }),
  }
  const past = options.since === undefined ? {} : { after: options.since }
  const page = await session.inCluster('listLog', {
    query: { ...filter, ...past, limit: options.since === undefined ? LOG_SHOWN : PAGE },
  })
  if (!options.follow) {
    session.out.answer(page, () => page.entries.map(logLine).join('\n'))
    return EXIT.done
  }
  for (const entry of page.entries) session.out.item(entry, () => logLine(entry))
  let after = page.next
  return follow(session, async () => {
    const query = { ...filter, after, limit: PAGE, waitMs: LONG_POLL_MS }
    const next = await session.inCluster('listLog', { query })
    for (const entry of next.entries) session.out.item(entry, () => logLine(entry))
    after = next.next
  })
}

/** Time, node, component, what it is about, and what was said (S-97). */
function logLine(entry: LogView): string {
  const subject = [entry.group, entry.resource ?? entry.resourceId].filter(Boolean).join('/')
  const at = new Date(entry.atMs).toISOString()
  return `${at} ${entry.node} [${entry.component}] ${subject || '-'} ${clean(entry.message)}`
}

/** One long poll after the other, until Ctrl-C. A control plane that is away is asked again. */
async function follow(session: Session, next: () => Promise<void>): Promise<number> {
  let away = false
  for (;;) {
    try {
      const answered = await unlessAway(async () => {
        await next()
        return true
      })
      if (!answered && !away) session.out.note('The control plane does not answer; asking again …')
      away = !answered
      if (away) await new Promise((done) => setTimeout(done, RETRY_MS))
      if (session.signal.aborted) return EXIT.interrupted
    } catch (error) {
      if (session.signal.aborted) return EXIT.interrupted
      throw error
    }
  }
}

async function hive(
  session: Session,
  options: { version?: number },
  path?: string,
): Promise<undefined> {
  const answer = await session.inCluster('getHive', {
    query: {
      ...(path !== undefined && { path }),
      ...(options.version !== undefined && { version: options.version }),
    },
  })
  session.out.answer(answer, () => keys(path ?? '', answer.value).join('\n'))
}

/** `key = value`, one line each. */
function keys(path: string, value: unknown): string[] {
  if (value === null || typeof value !== 'object' || Object.keys(value).length === 0)
    return [`${path || '/'} = ${clean(JSON.stringify(value))}`]
  return Object.entries(value).flatMap(([key, below]) =>
    keys(`${path === '/' ? '' : path}/${key}`, below),
  )
}
