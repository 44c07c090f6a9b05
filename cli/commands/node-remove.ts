import type { Command } from 'commander'
import type { ClusterView } from '../../schema/api/bodies.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { duration, type Runner } from '../command.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import { formatDuration } from '../duration.ts'
import { EXIT } from '../exit-codes.ts'
import type { Session } from '../session.ts'
import { EXIT_OF, waitFor } from '../wait.ts'

export function addNodeRemove(node: Command, runner: Runner): void {
  node
    .command('remove')
    .alias('evict')
    .description('ends the membership of a node')
    .argument('<node>')
    .option(
      '--lost',
      'its host will never come back: waits until the node is Down, then removes it',
    )
    .addOption(
      duration('--timeout', 'with --lost, how long to wait at most').default(300_000, '5m'),
    )
    .addOption(yesOption())
    .action(runner.action(remove))
}

interface RemoveOptions extends YesOption {
  readonly lost?: true
  readonly timeout: number
}

async function remove(session: Session, options: RemoveOptions, node: string): Promise<number> {
  const how = options.lost ? ', whose host must never come back as it was' : ''
  await confirm(session, `remove node ${node} from the cluster${how}`, options)
  if (options.lost) {
    const outcome = await untilDown(session, node, options.timeout)
    if (outcome !== 'done') return EXIT_OF[outcome]
  }
  const answer = await session.inCluster('evictNode', {
    params: { node },
    ...(options.lost && { query: { lost: 'true' } }),
  })
  session.out.answer(answer, () => `node ${node}: removed from the cluster (seq ${answer.seq})`)
  return EXIT.done
}

/** What a lost host ran is given to others only when its lease has surely ended, and so is its seat. */
async function untilDown(session: Session, name: string, timeoutMs: number) {
  const view = await session.view()
  const node = find(view, name)
  // One that is connected is not lost, and one that is not there is for the control plane to refuse.
  if (!node || node.state === 'down' || node.connected) return 'done'
  // No wait will do it: the control plane says what has to be confirmed.
  if (node.under === 'fence' && node.lost?.waitsFor !== 'fence') return 'done'
  const owned = view.groups.filter((g) => g.owner === name).map((g) => g.name)
  session.out.note(
    `waiting until ${name} is Down: ${
      owned.length > 0
        ? `until its lease has surely ended it may still run ${owned.join(', ')}`
        : 'until its lease has surely ended'
    } (rule D3)`,
  )
  const { outcome, tookMs } = await waitFor(
    session,
    async () => find(await session.view(), name),
    (seen) => {
      if (seen?.connected) throw cameBack(name)
      return !seen || seen.state === 'down' ? 'done' : 'going'
    },
    timeoutMs,
  )
  if (outcome === 'timeout')
    session.out.note(
      `${name} is not Down after ${formatDuration(tookMs)}, and was not removed. To see why: holdfast why ${name}`,
    )
  return outcome
}

const find = (view: ClusterView, name: string) => view.nodes.find((n) => n.name === name)

const cameBack = (name: string) =>
  new HoldfastError({
    code: 'NODE_NOT_DOWN',
    message: `node "${name}" was not removed: it has come back`,
    why: 'It is connected again, so its host is not lost.',
    remedy: `To remove it all the same, move its groups away first: holdfast node pause ${name}`,
  })
