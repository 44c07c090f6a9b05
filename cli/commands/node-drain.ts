import type { Command } from 'commander'
import type { ClusterView, GroupView } from '../../schema/api/bodies.ts'
import { HoldfastError } from '../../schema/errors.ts'
import type { Runner } from '../command.ts'
import { formatDuration } from '../duration.ts'
import type { Session } from '../session.ts'
import { EXIT_OF, type Progress, waitFor } from '../wait.ts'
import { limitOf, type WaitOptions, withWait } from './move.ts'

export function addNodeDrain(node: Command, runner: Runner): void {
  withWait(
    node
      .command('drain')
      .description('its groups go elsewhere, each by the best way; `node resume` ends that')
      .argument('<node>'),
    600_000,
  ).action(runner.action(drain))
}

async function drain(session: Session, options: WaitOptions, name: string): Promise<number> {
  const before = await session.view()
  const node = before.nodes.find((n) => n.name === name || n.id === name)?.name ?? name
  const answer = await session.inCluster('drainNode', { params: { node: name } })
  const leaving = before.groups.filter((g) => g.owner === node).map((g) => g.id)
  const gone = new Set<string>()
  const { outcome, tookMs, last } = await waitFor(
    session,
    () => session.view(),
    (view) => progress(session, view, { node, leaving, gone }),
    limitOf(options),
  )
  const left = last.groups.filter((g) => g.owner === node)
  session.out.answer(
    {
      ...answer,
      outcome,
      tookMs,
      moved: last.groups.filter((g) => leaving.includes(g.id) && g.owner !== node).map(brief),
      left: left.map(brief),
    },
    () => {
      if (outcome === 'done')
        return `node ${node} is drained: ${count(leaving.length)} elsewhere after ${formatDuration(tookMs)} (seq ${answer.seq})`
      if (outcome === 'notWaited') return `node ${node} is being drained (seq ${answer.seq})`
      const names = left.map((g) => g.name).join(', ')
      return `node ${node} still has ${names}: no other node can take it now, or it has not left yet\nWhy: holdfast why ${left[0]?.name ?? node}   Undo: holdfast node resume ${node}`
    },
  )
  return EXIT_OF[outcome]
}

interface Drained {
  readonly node: string
  readonly leaving: readonly string[]
  readonly gone: Set<string>
}

/** Says each group once, when it has come to rest elsewhere. */
function progress(session: Session, view: ClusterView, { node, leaving, gone }: Drained): Progress {
  const ofNode = view.nodes.find((n) => n.name === node)
  if (!ofNode?.draining)
    throw new HoldfastError({
      code: 'CHANGED_MEANWHILE',
      message: `node ${node} is not drained any more`,
      why: 'Somebody has resumed or removed it. What had not left stays.',
      remedy: `See what it has: holdfast status ${node}`,
    })
  for (const group of view.groups) {
    if (!leaving.includes(group.id) || gone.has(group.id)) continue
    if (group.owner === null || group.owner === node || group.state === 'pending') continue
    gone.add(group.id)
    session.out.note(`${group.name}: ${group.state} on ${group.owner}`)
  }
  const left = view.groups.filter((g) => g.owner === node)
  if (left.length === 0 && leaving.every((id) => gone.has(id) || isAway(view, id))) return 'done'
  return left.length > 0 && left.every((g) => g.phase === 'owned') ? 'stuck' : 'going'
}

/** Deleted meanwhile, or nobody can take it: no matter of this node any more. */
function isAway(view: ClusterView, id: string): boolean {
  const group = view.groups.find((g) => g.id === id)
  return !group || group.state === 'waiting' || group.state === 'failed'
}

const brief = ({ name, state, owner }: GroupView) => ({ name, state, owner })
const count = (groups: number) => (groups === 1 ? '1 group is' : `${groups} groups are`)
