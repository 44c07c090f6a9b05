import { type Command, Option } from 'commander'
import type { ClusterView } from '../../schema/api/bodies.ts'
import type { Response } from '../../schema/api/routes.ts'
import { duration, noun, type Runner } from '../command.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import { formatInstant } from '../duration.ts'
import type { Session } from '../session.ts'
import { table } from '../text.ts'
import { findThing, nameOf } from '../things.ts'
import { addMaintenanceRun } from './maintenance-run.ts'

const SUBJECT = '"cluster", or a group, resource or node by name'

export function addMaintenance(program: Command, runner: Runner): void {
  const maintenance = noun('maintenance', 'observes, and does nothing about what fails')
  maintenance
    .command('show')
    .description('what is in maintenance, why, and until when')
    .action(runner.action(show))
  maintenance
    .command('on')
    .description('nothing is restarted, failed over or moved because of health; it ends by itself')
    .argument('<subject>', SUBJECT)
    .addOption(new Option('--reason <text>', 'why, in a line').makeOptionMandatory())
    .addOption(duration('--for', 'it ends by itself after this; 2h if not said'))
    .action(runner.action(on))
  maintenance
    .command('off')
    .description('says what would be done, and ends it')
    .argument('<subject>', SUBJECT)
    .addOption(yesOption())
    .action(runner.action(off))
  addMaintenanceRun(maintenance, runner)
  program.addCommand(maintenance)
}

function subjectOf(view: ClusterView, typed: string) {
  if (typed === 'cluster') return { scope: 'cluster' as const }
  const thing = findThing(view, typed)
  return { scope: thing.kind, name: nameOf(thing) }
}

const said = ({ scope, name }: { scope: string; name?: string }) =>
  name === undefined ? 'the cluster' : `${scope} ${name}`

async function show(session: Session): Promise<undefined> {
  const answer = await session.inCluster('listMaintenance')
  const now = Date.now()
  const rows = answer.maintenance.map((one) => [
    one.scope,
    one.name,
    formatInstant(one.untilMs, now),
    one.by,
    one.reason,
  ])
  session.out.answer(answer, () =>
    rows.length === 0
      ? 'nothing is in maintenance'
      : table(['what', 'name', 'until', 'by', 'reason'], rows),
  )
}

async function on(
  session: Session,
  options: { reason: string; for?: number },
  typed: string,
): Promise<undefined> {
  const subject = subjectOf(await session.view(), typed)
  const done = await session.inCluster('startMaintenance', {
    body: {
      ...subject,
      reason: options.reason,
      ...(options.for !== undefined && { forMs: options.for }),
    },
  })
  session.out.answer(done, () => `${said(subject)} is in maintenance (seq ${done.seq})`)
}

async function off(
  session: Session,
  options: YesOption & { dryRun?: true },
  typed: string,
): Promise<undefined> {
  const subject = subjectOf(await session.view(), typed)
  const would = await session.inCluster('simulate', {
    body: { what: 'maintenanceOff', ...subject },
  })
  if (options.dryRun) {
    session.out.answer(would, () => wouldText(would))
    return
  }
  session.out.note(wouldText(would))
  await confirm(session, `end the maintenance of ${said(subject)}`, options)
  const done = await session.inCluster('endMaintenance', { body: subject })
  session.out.answer(
    { ...done, ...would },
    () => `${said(subject)} is looked after again (seq ${done.seq})`,
  )
}

function wouldText({ groups, restarts }: Response<'simulate'>): string {
  if (groups.length + restarts.length === 0) return 'nothing would be done: all is as it is wanted'
  const rows = [
    ...restarts.map((one) => [one.resource, `is ${one.status}`, `started on ${one.node}`]),
    ...groups.map((one) => [
      one.group,
      one.from === null ? 'is on no node' : `is on ${one.from}`,
      one.to === null ? 'no node can take it' : `to ${one.to}`,
    ]),
  ]
  return table(['what', 'now', 'would be'], rows)
}
