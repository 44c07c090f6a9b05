import type { Command } from 'commander'
import type { AuditHeader, AuditLine, AuditPage, AuditQuery } from '../../schema/api/audit.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { verifyExport } from '../audit-file.ts'
import { instant, noun, type Runner, wholeNumber } from '../command.ts'
import { fileName, readText } from '../read-text.ts'
import type { Session } from '../session.ts'
import { table } from '../text.ts'

/** Which chain. */
interface Of {
  organisation?: true
}

export function addAudit(program: Command, runner: Runner): void {
  const audit = noun('audit', 'who has changed what, or was refused: of the cluster, or of all')
  const ofOrganisation = 'keys, join tokens and clusters made, in place of what one cluster has'
  audit
    .command('list')
    .description('the newest writes, oldest first')
    .option('--organisation', ofOrganisation)
    .addOption(instant('--since', 'only what came since then'))
    .option('--by <name>', 'only of this API key, node or join token: name or GUID')
    .option('--route <name>', 'only by this route, e.g. moveGroup')
    .option('--limit <number>', 'so many of them', wholeNumber, 50)
    .action(runner.action(listAudit))
  audit
    .command('export')
    .description('all entries that there are, as JSON Lines for `audit verify`')
    .option('--organisation', ofOrganisation)
    .action(runner.action(exportAudit))
  audit
    .command('verify')
    .description('whether an export is as it was written; asks nobody. Exit code 1: it is not')
    .argument('<file>', 'what `audit export` has written; "-": standard input')
    .option('--head <hash>', 'of an entry that was noted before: it has to be there')
    .action(runner.action(verify))
  program.addCommand(audit)
}

const PAGE = 500

const page = (session: Session, { organisation }: Of, query: AuditQuery): Promise<AuditPage> =>
  organisation
    ? session.call('listAudit', { query })
    : session.inCluster('listClusterAudit', { query })

interface ListOptions extends Of {
  since?: number
  by?: string
  route?: string
  limit: number
}

async function listAudit(session: Session, options: ListOptions): Promise<undefined> {
  const { since: sinceMs, by, route, limit } = options
  const answer = await page(session, options, { sinceMs, by, route, limit: Math.max(1, limit) })
  const rows = answer.entries.map((one) => [
    ...[
      String(one.n),
      new Date(one.atMs).toISOString().slice(0, 19),
      one.who.name,
      one.from ?? '-',
    ],
    ...[one.route, subject(one), one.refused ?? 'done'],
  ])
  const titles = ['n', 'at', 'who', 'from', 'route', 'about', 'outcome']
  session.out.answer(answer, () => table(titles, rows))
}

const subject = ({ about }: AuditLine): string =>
  about ? `${about.kind} ${about.name ?? about.id}` : '-'

async function exportAudit(session: Session, options: Of): Promise<undefined> {
  // What it begins with is told by the answer that has the first entries: older ones go meanwhile.
  const first = await page(session, options, { after: 0, limit: PAGE })
  const { chain, base, head } = first
  const header: AuditHeader = { format: 'holdfast-audit-1', chain, base, head }
  const all: AuditLine[] = []
  if (!session.out.json) session.out.raw(JSON.stringify(header))
  let { entries } = first
  for (let after = base.n; after < head.n; ) {
    const some = entries.filter((one) => one.n <= head.n)
    if (some[0]?.n !== after + 1) throw trimmed(after + 1)
    after = some.at(-1)?.n ?? head.n
    if (session.out.json) all.push(...some)
    else session.out.raw(some.map((one) => `${JSON.stringify(one)}\n`).join(''))
    if (after < head.n) entries = (await page(session, options, { after, limit: PAGE })).entries
  }
  if (session.out.json) session.out.answer({ ...header, entries: all }, () => '')
  session.out.note(`head ${head.n} ${head.hash}`)
  session.out.note('note it elsewhere: audit verify --head HASH finds an end that was cut')
}

const trimmed = (n: number) =>
  new HoldfastError({
    code: 'UNAVAILABLE',
    message: `entry ${n} was removed while the export was made`,
    why: 'An audit log has an end, and more was written meanwhile than was read. What was written of the export is not whole.',
    remedy: 'Export it again.',
  })

async function verify(
  session: Session,
  { head: known }: { head?: string },
  file: string,
): Promise<undefined> {
  if (known !== undefined && !/^[0-9a-f]{64}$/.test(known))
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `"${known}" is no hash of an entry`,
      why: 'It has 64 digits, 0 to 9 and a to f.',
      remedy: 'Write it as `audit export` and `audit verify` print it.',
    })
  const text = await readText(
    session.surroundings,
    file,
    'Export it first: holdfast audit export > audit.jsonl',
  )
  const verdict = verifyExport(text, known)
  if (verdict.fault) {
    const { n, what } = verdict.fault
    throw new HoldfastError({
      code: 'AUDIT_BROKEN',
      message: `${fileName(file)} is not as it was written: entry ${n}`,
      why: `Entry ${n}: ${what}.`,
      remedy:
        'Compare it with an export that was kept elsewhere, and find out who could write there.',
    })
  }
  const { chain, base, head } = verdict
  session.out.answer({ unbroken: true, chain, from: base.n + 1, to: head.n, base, head }, () =>
    [
      base.n === head.n
        ? `no entries of ${chain}`
        : `entries ${base.n + 1} to ${head.n} of ${chain}: unbroken`,
      ...(base.n > 0 ? [`entries 1 to ${base.n} are not in it: they were removed before`] : []),
      `head ${head.n} ${head.hash}`,
    ].join('\n'),
  )
}
