/** Commands about what was sent to an endpoint, and sending it again. */
import { type Command, Option } from 'commander'
import type { DeliveryView } from '../../schema/api/webhooks.ts'
import { instant, type Runner, wholeNumber } from '../command.ts'
import { formatDuration, formatInstant } from '../duration.ts'
import { EXIT } from '../exit-codes.ts'
import type { Session } from '../session.ts'
import { table } from '../text.ts'

export function addDeliveries(webhook: Command, runner: Runner): void {
  webhook
    .command('test')
    .description('sends a test event and says what became of it; exit code 3 if not delivered')
    .argument('<name>')
    .action(runner.action(test))
  webhook
    .command('deliveries')
    .description('what the cluster has sent to it, newest first')
    .argument('<name>')
    .addOption(
      new Option('--state <state>', 'only those').choices(['pending', 'delivered', 'gaveUp']),
    )
    .option('--limit <number>', 'so many of them', wholeNumber, 20)
    .action(runner.action(listDeliveries))
  webhook
    .command('replay')
    .description('sends one message of the cluster again, whatever has become of it')
    .argument('<name>')
    .argument('<message>', 'its id, as `webhook deliveries` shows it: msg_…')
    .action(runner.action(replay))
  webhook
    .command('recover')
    .description('sends again what the cluster has told since then and did not get through')
    .argument('<name>')
    .addOption(instant('--since', 'from when on').makeOptionMandatory())
    .action(runner.action(recover))
}

async function test(session: Session, _: unknown, name: string): Promise<number> {
  const done = await session.call('testWebhook', { params: { webhook: name } })
  const { delivered, detail, ms } = done
  session.out.answer(
    done,
    () => `${delivered ? 'delivered' : 'NOT delivered'}: ${detail} (${formatDuration(ms)})`,
  )
  return delivered ? EXIT.done : EXIT.problems
}

async function listDeliveries(
  session: Session,
  options: { state?: DeliveryView['state']; limit: number },
  name: string,
): Promise<undefined> {
  const { state } = options
  const query = { limit: Math.max(1, options.limit), ...(state && { state }) }
  const answer = await session.inCluster('listDeliveries', { params: { webhook: name }, query })
  const at = (ms: number) => formatInstant(ms, Date.now())
  const rows = answer.deliveries.map((one) => [
    ...[one.message, String(one.sequence), one.type, at(one.atMs), one.state],
    ...[String(one.attempts), one.nextAtMs === null ? '-' : at(one.nextAtMs)],
    one.log[0]?.detail ?? '-',
  ])
  const titles = ['message', 'sequence', 'type', 'at', 'state', 'attempts', 'next', 'last']
  session.out.answer(answer, () => table(titles, rows))
}

async function replay(
  session: Session,
  _: unknown,
  name: string,
  message: string,
): Promise<undefined> {
  const input = { params: { webhook: name }, body: { message } }
  const done = await session.inCluster('replayWebhook', input)
  session.out.answer(done, () => `message ${message} is sent again`)
}

async function recover(
  session: Session,
  options: { since: number },
  name: string,
): Promise<undefined> {
  const input = { params: { webhook: name }, body: { sinceMs: options.since } }
  const done = await session.inCluster('replayWebhook', input)
  const since = formatInstant(options.since, Date.now())
  session.out.answer(done, () =>
    done.messages === 0
      ? `nothing is missing since ${since}`
      : `${done.messages} since ${since} had not got through, and are sent again`,
  )
}
