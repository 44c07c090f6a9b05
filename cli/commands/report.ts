/** Everything that somebody needs who is to help, in one file, without secrets. */
import { writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import type { Command } from 'commander'
import type { LogView } from '../../schema/api/bodies.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { instant, type Runner } from '../command.ts'
import { redacted } from '../redact.ts'
import type { Session } from '../session.ts'
import { fromRoot } from '../surroundings.ts'

const PAGE = 1_000
const LOG_MAX = 20_000
const EVENTS_MAX = 5_000
const TIMELINES = 100
const DEFAULT_PAST_MS = 24 * 3_600_000

export function addReport(program: Command, runner: Runner): void {
  program
    .command('report')
    .description('state, configuration, events, timelines and log in one file, without secrets')
    .option('-o, --out <file>', 'where to', 'holdfast-report.json.gz')
    .addOption(instant('--since', 'log from then on; by default 24 h'))
    .action(runner.action(report))
}

async function report(
  session: Session,
  { out, since }: { out: string; since?: number },
): Promise<undefined> {
  const cluster = await session.view()
  const missing: { part: string; why: string }[] = []
  /** What cannot be had does not keep the rest from being told. */
  const part = async <T>(name: string, get: () => Promise<T>): Promise<T | null> => {
    try {
      return await get()
    } catch (error) {
      if (!(error instanceof HoldfastError) || session.signal.aborted) throw error
      missing.push({ part: name, why: error.message })
      return null
    }
  }
  const sinceMs = since ?? cluster.nowMs - DEFAULT_PAST_MS
  const document = {
    report: 1,
    madeAtMs: cluster.nowMs,
    cluster,
    config: await part('config', () => session.inCluster('getConfig')),
    types: await part('types', () => session.inCluster('listTypes')),
    survivability: await part('survivability', () => session.inCluster('survivability')),
    timelines: await part('timelines', () =>
      session.inCluster('listTimelines', { query: { limit: TIMELINES } }),
    ),
    events: await part('events', () => events(session, cluster.seq)),
    log: await part('log', () => log(session, sinceMs)),
    missing,
  }
  const packed = gzipSync(JSON.stringify(redacted(document)))
  writeFileSync(fromRoot(session.surroundings, out), packed, { mode: 0o600 })
  const lines = document.log?.length ?? 0
  const said = { file: out, bytes: packed.length, lines, missing }
  session.out.answer(said, () =>
    [
      `${out} written: ${Math.ceil(packed.length / 1024)} KB, ${lines} lines of the log`,
      ...missing.map(({ part: name, why }) => `without ${name}: ${why}`),
      'Secrets that can be told by their name or look are left out; look through it before you pass it on.',
    ].join('\n'),
  )
}

async function events(session: Session, seq: number): Promise<unknown[]> {
  const out: unknown[] = []
  for (let after = Math.max(0, seq - EVENTS_MAX); ; ) {
    const page = await session.inCluster('listEvents', { query: { after, limit: PAGE } })
    out.push(...page.events)
    if (page.events.length < PAGE) return out
    after = page.next
  }
}

/** Merged, in the order in which it arrived: the newest ones, if there are too many. */
async function log(session: Session, sinceMs: number): Promise<LogView[]> {
  const out: LogView[] = []
  for (let after = 0; ; ) {
    const page = await session.inCluster('listLog', { query: { sinceMs, after, limit: PAGE } })
    out.push(...page.entries)
    if (page.entries.length < PAGE) return out.slice(-LOG_MAX)
    after = page.next
  }
}
